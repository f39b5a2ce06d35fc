// The refund screen: what goes back where is asked for while somebody types, and "all that is left" fills a box in.
// Without this script both are buttons that load the page anew.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-live-plan]");
  if (!form) {
    return;
  }
  const plan = form.querySelector("#plan");
  const PAUSE_MS = 250;
  let timer = 0;
  let asked = 0;

  // What is shown is no longer so: nobody refunds by it.
  function outdate() {
    plan.setAttribute("aria-busy", "true");
    for (const button of plan.querySelectorAll("button")) {
      button.disabled = true;
    }
  }

  async function ask() {
    const mine = ++asked;
    const body = new FormData(form);
    body.set("step", "preview");
    body.set("fragment", "1");
    body.delete("agreed");
    let html;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(body), redirect: "error" });
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      html = await answer.text();
    } catch {
      form.querySelector("[data-without-script]").hidden = false; // logged out, no network: as without the script
      return;
    }
    if (mine === asked) {
      plan.innerHTML = html;
      plan.removeAttribute("aria-busy");
    }
  }

  function soon() {
    outdate();
    asked += 1; // an answer that is under way is to something else
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  }

  for (const name of ["goods", "shipping", "policy"]) {
    form.elements[name]?.addEventListener("input", soon);
  }
  for (const button of form.querySelectorAll("button[name=all]")) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      form.elements[button.value].value = button.dataset.amount;
      soon();
    });
  }
  form.querySelector("[data-without-script]").hidden = true;
  if (form.elements.goods.value || form.elements.shipping.value) {
    soon();
  }
});
