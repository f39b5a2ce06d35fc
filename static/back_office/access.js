// unfold has things to click that are neither links nor buttons: the keyboard reaches them too.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const clicked = ":is(a:not([href]), div, span)[x-on\\:click]";
  for (const element of document.querySelectorAll(`${clicked}:not(#changelist-filter-close)`)) {
    element.tabIndex = 0;
    element.setAttribute("role", "button");
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        element.click();
      }
    });
  }
});
