"""The English app in the back-office: one module per noun."""

from english_app.admin import agents, goods, memberships, orders

__all__ = ["agents", "goods", "memberships", "orders"]
