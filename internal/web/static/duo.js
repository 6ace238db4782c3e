// Asks every 3 s whether Duo knows the phone, and sends the form once it does: the
// server asks Duo again then. Without this the person presses the button.
const slot = document.getElementById("duo");
const live = document.getElementById("live");
const form = slot.closest("form");
const button = form.querySelector("button");
let sent = false;

form.addEventListener("submit", () => { sent = true; });
addEventListener("pagehide", () => { sent = true; });
slot.hidden = false;

async function ask() {
  if (sent) return;
  try {
    const r = await fetch(slot.dataset.poll, { method: "POST", signal: AbortSignal.timeout(15000) });
    // What says no will say no again.
    if (r.status >= 400 && r.status < 500 && r.status !== 429) { slot.hidden = true; return; }
    const status = r.ok && (await r.json()).duo_response;
    if (!sent && (status === "success" || status === "invalid")) {
      if (status === "success" && live) live.textContent = slot.dataset.done;
      form.requestSubmit(button);
      return;
    }
  } catch { /* out of reach: later */ }
  setTimeout(ask, 3000);
}
setTimeout(ask, 3000);
