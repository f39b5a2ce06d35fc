// "/" leads into the box that finds an order, unless somebody is writing elsewhere.
"use strict";

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, textarea, select, [contenteditable]");
  const box = document.querySelector("[data-look-up]");
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !writing && box) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});
