"""A key offered to somebody for their app and confirmed by nobody yet: it waits in the session, sealed for them."""

import uuid

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase

from payments import secrets
from payments.staff import devices

OFFER = "totp_key"  # in the session


def key_for(*, user: User, session: SessionBase) -> str:
    """Return the key that `session` offers to `user`: the same until it is taken or withdrawn."""
    context = secrets.context(model="staffsession", field=OFFER, uid=uuid.UUID(int=user.pk))
    if OFFER in session:
        try:
            return secrets.unseal(sealed=session[OFFER], context=context)
        except secrets.CannotUnseal:
            pass  # nobody has it in an app that counts: they are offered another
    key = devices.new_key()
    session[OFFER] = secrets.seal(text=key, context=context)
    return key


def withdraw(*, session: SessionBase) -> None:
    """Forget the key, because it is somebody's device by now or because they went elsewhere."""
    session.pop(OFFER, None)
