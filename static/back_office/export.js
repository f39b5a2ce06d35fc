// An export that is being written: count along, and show the page anew when it is finished. Without this script the page
// loads itself again.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const told = document.querySelector("[data-export-state]");
  if (!told) {
    return;
  }

  async function look() {
    try {
      const answer = await fetch(told.dataset.exportState, { headers: { accept: "application/json" } });
      const state = await answer.json();
      const rows = told.querySelector("[data-export-rows]");
      if (state.status !== told.dataset.exportStatus) {
        window.location.reload();
        return;
      }
      if (rows) {
        rows.textContent = state.rows;
      }
    } catch {
      // The next look tells.
    }
    window.setTimeout(look, 2000);
  }

  window.setTimeout(look, 1000);
});
