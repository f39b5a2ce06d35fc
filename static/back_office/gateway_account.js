// A new gateway account: show what the chosen kind of gateway needs. Without this script all of it is there, under its
// headings.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const kind = document.querySelector("select#id_kind[data-methods]");
  if (!kind) {
    return;
  }
  const methods = JSON.parse(kind.dataset.methods);

  // The outermost element that holds this box alone.
  function rowOf(box) {
    let row = box;
    while (row.parentElement.querySelectorAll("input[name='modes']").length === 1) {
      row = row.parentElement;
    }
    return row;
  }

  function show() {
    for (const fieldset of document.querySelectorAll("fieldset[class*='kind-']")) {
      fieldset.hidden = kind.value !== "" && !fieldset.classList.contains(`kind-${kind.value}`);
      fieldset.style.display = fieldset.hidden ? "none" : "";
    }
    for (const box of document.querySelectorAll("input[name='modes']")) {
      const known = kind.value === "" || methods[kind.value].includes(box.value);
      box.disabled = !known;
      rowOf(box).style.display = known ? "" : "none";
    }
  }

  kind.addEventListener("change", show);
  show();
});
