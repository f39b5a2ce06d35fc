// The order's page: copy its number, and unfold raw bodies in their place. Without this script the number can be
// selected, and a link leads to the body.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.querySelector(".material-symbols-outlined").textContent = "check";
      button.querySelector(".unseen").textContent = button.dataset.copied;
    });
  }

  for (const details of document.querySelectorAll("[data-raw-at]")) {
    details.addEventListener("toggle", () => unfold(details));
  }

  async function unfold(details) {
    const place = details.querySelector(".raw-body");
    if (!details.open || details.dataset.unfolded) {
      return;
    }
    details.dataset.unfolded = "yes";
    try {
      const answer = await fetch(details.dataset.rawAt, { credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...page.querySelector("[data-raw]").childNodes);
    } catch {
      delete details.dataset.unfolded;
      place.querySelector("a").textContent = details.dataset.failed;
    }
  }
});
