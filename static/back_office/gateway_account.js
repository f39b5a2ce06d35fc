// A new gateway account: show what the chosen kind of gateway needs. Without this script all of it is there, under its
// headings.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const kind = document.querySelector("select#id_kind[data-methods]");
  if (!kind) {
    return;
  }
  const methods = JSON.parse(kind.dataset.methods);

  function show() {
    for (const fieldset of document.querySelectorAll("fieldset[class*='kind-']")) {
      fieldset.hidden = kind.value !== "" && !fieldset.classList.contains(`kind-${kind.value}`);
      fieldset.style.display = fieldset.hidden ? "none" : "";
    }
    for (const box of document.querySelectorAll("input[name='modes']")) {
      const known = kind.value === "" || methods[kind.value].includes(box.value);
      box.disabled = !known;
      (box.closest("li") || box.closest("label") || box.parentElement).style.display = known ? "" : "none";
    }
  }

  kind.addEventListener("change", show);
  show();
});
