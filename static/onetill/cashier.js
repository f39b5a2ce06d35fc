// The cashier page, live: asks for the order's status and, when it has changed, swaps in the page as the server now
// renders it. Without this script the page refreshes itself (noscript) and everything works by links and buttons.
"use strict";

const FIRST_DELAY_MS = 2000;
const STEADY_POLLS = 30; // a minute at full speed, then slower and slower
const SLOWEST_DELAY_MS = 15000;
const FAILURES_BEFORE_TELLING = 3;
const BRIDGE_WITHIN_MS = 3000;

let polls = 0;
let failures = 0;
let pollTimer = 0;
let returnTimer = 0;
let deadline = 0;
let hasRunOut = false;

const cashier = () => document.getElementById("cashier");

function nextDelay() {
  const slowdown = Math.max(0, polls + failures * 5 - STEADY_POLLS);
  return Math.min(SLOWEST_DELAY_MS, FIRST_DELAY_MS * 1.15 ** slowdown);
}

function pollIn(delay) {
  clearTimeout(pollTimer);
  if (cashier().dataset.final === "no" && !document.hidden) pollTimer = setTimeout(poll, delay);
}

async function poll() {
  polls += 1;
  let delay = nextDelay();
  try {
    const answer = await fetch(cashier().dataset.live, { cache: "no-store" });
    if (answer.status === 429) delay = SLOWEST_DELAY_MS;
    else if (!answer.ok) throw new Error(answer.status);
    else if ((await answer.json()).mark !== cashier().dataset.mark) await swap();
    failures = 0;
  } catch {
    failures += 1;
  }
  cashier().querySelector(".connection").hidden = failures < FAILURES_BEFORE_TELLING;
  pollIn(delay);
}

// The server's own page is the only template: fetch it and put its <main> in place of ours.
async function swap() {
  const answer = await fetch(location.pathname + location.search, { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.status);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = fresh.title;
  cashier().replaceWith(document.adoptNode(fresh.getElementById("cashier")));
  cashier().querySelector("h2").focus({ preventScroll: true });
  begin();
}

function showTimeLeft() {
  const clock = document.getElementById("countdown");
  if (!clock) return;
  const seconds = Math.max(0, Math.round((deadline - performance.now()) / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const parts = hours ? [hours, minutes, seconds % 60] : [minutes, seconds % 60];
  clock.textContent = parts.map((part) => String(part).padStart(2, "0")).join(":");
  clock.classList.toggle("short", seconds < 60);
  if (seconds === 0 && !hasRunOut) {
    hasRunOut = true;
    pollIn(500);
  }
}

function begin() {
  const { dataset } = cashier();
  deadline = performance.now() + Number(dataset.secondsLeft) * 1000;
  hasRunOut = false;
  showTimeLeft();
  clearTimeout(returnTimer);
  if (dataset.return) {
    returnTimer = setTimeout(() => location.assign(dataset.return), Number(dataset.returnSeconds) * 1000);
  }
}

// A fresh choice of a page at the gateway leads there once; coming back by the back button stays here.
function goOn() {
  if (location.hash !== "#go") return;
  history.replaceState(null, "", location.pathname + location.search);
  if (cashier().dataset.go) location.assign(cashier().dataset.go);
  else if (cashier().dataset.call) callWechat();
}

// Inside WeChat: hand the signed call to WeChat, which asks the person. Its "ok" proves nothing: it leads to the page
// that waits for the server's word. The bridge appears when WeChat is ready, and nowhere else.
function callWechat() {
  const { call, called } = cashier().dataset;
  const [failed, impossible] = ["call-failed", "call-impossible"].map((id) => document.getElementById(id));
  const invoke = () => {
    clearTimeout(givingUp);
    impossible.hidden = failed.hidden = true;
    window.WeixinJSBridge.invoke("getBrandWCPayRequest", JSON.parse(call), ({ err_msg: answer }) => {
      if (answer === "get_brand_wcpay_request:ok") location.replace(called);
      else failed.hidden = answer === "get_brand_wcpay_request:cancel";
    });
  };
  const givingUp = setTimeout(() => {
    document.removeEventListener("WeixinJSBridgeReady", invoke);
    impossible.hidden = false;
  }, BRIDGE_WITHIN_MS);
  if (window.WeixinJSBridge) invoke();
  else document.addEventListener("WeixinJSBridgeReady", invoke, { once: true });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.classList.contains("ways")) return;
  if (form.dataset.sent) event.preventDefault(); // a double click is one choice
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
  event.submitter?.classList.add("chosen");
});
document.addEventListener("click", (event) => {
  if (event.target.id === "call-wechat") callWechat();
});
document.addEventListener("visibilitychange", () => pollIn(document.hidden ? 0 : 200));
window.addEventListener("online", () => pollIn(0));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // from the back-forward cache: what it shows may be long past
});

setInterval(showTimeLeft, 500);
begin();
goOn();
pollIn(FIRST_DELAY_MS);
