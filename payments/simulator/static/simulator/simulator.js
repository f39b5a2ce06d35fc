"use strict";

// Says how long it is to a moment, as long as it lies ahead and within a day.
function countDown() {
  for (const element of document.querySelectorAll("time[data-until]")) {
    const seconds = Math.floor((Date.parse(element.dateTime) - Date.now()) / 1000);
    if (seconds < 0 || seconds >= 86400) continue;
    const pair = (number) => String(number).padStart(2, "0");
    element.dataset.moment ??= element.textContent;
    const left = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) => pair(Math.floor(part))).join(":");
    element.textContent = `${element.dataset.moment} (${left})`;
  }
}

// Fetches the page again and exchanges what changed, but never what somebody is using.
async function refresh() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = page.querySelector(`[data-live="${part.dataset.live}"]`);
    const busy = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (next && !busy) part.replaceChildren(...next.childNodes);
  }
  countDown();
}

countDown();
setInterval(countDown, 1000);
if (document.querySelector("[data-live]")) {
  setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, 2000);
}
