// How far a refund of many orders is: looked up every two seconds until all are dealt with. Without this script the page
// has a link for it.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const PAUSE_MS = 2000;
  const PARTS = ["#progress", "#lines-group"];

  async function look() {
    try {
      const answer = await fetch(location.href, { redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of PARTS) {
        const shown = document.querySelector(part);
        const now = page.querySelector(part);
        if (shown && now) {
          shown.replaceWith(now);
        }
      }
    } catch {
      return; // logged out, no network: the link says so
    }
    goOn();
  }

  function goOn() {
    if (document.querySelector("#progress[data-goes-on]")) {
      setTimeout(look, PAUSE_MS);
    }
  }

  goOn();
});
