// Comfort for flow pages; every form works without it. It only toggles
// `hidden`, classes and ARIA, and writes text, so it runs under Trusted Types.
const live = document.getElementById("live");
const say = (text) => { if (live) live.textContent = text; };

// A browser may restore a page from memory although it is not to be stored.
addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });

// One submit a second; the button says so when the answer takes longer.
for (const form of document.forms) {
  let last = -Infinity;
  form.addEventListener("submit", (e) => {
    if (e.timeStamp - last < 1000) { e.preventDefault(); return; }
    last = e.timeStamp;
    const button = e.submitter;
    if (!button?.dataset.busy) return;
    setTimeout(() => {
      button.setAttribute("aria-disabled", "true");
      (button.querySelector("span") ?? button).textContent = button.dataset.busy;
      say(button.dataset.busy);
    }, 1000);
  });
}

// Show and hide a password; hidden again when the page is left.
for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const { show, hide, showLabel, hideLabel, shown, hidden } = button.dataset;
  const set = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? hide : show;
    button.setAttribute("aria-label", visible ? hideLabel : showLabel);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    set(input.type === "password");
    say(input.type === "password" ? hidden : shown);
  });
  input.form?.addEventListener("submit", () => set(false));
  addEventListener("pagehide", () => set(false));
}

// Copy what stands in a field; by hand where the browser does not let us.
for (const button of document.querySelectorAll("[data-copy]")) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  button.hidden = false;
  button.addEventListener("click", async () => {
    input.select();
    try { await navigator.clipboard.writeText(input.value); } catch { if (!document.execCommand("copy")) return; }
    button.textContent = button.dataset.copied;
    say(button.dataset.copied);
  });
}

for (const hint of document.querySelectorAll("[data-caps]")) {
  const input = hint.parentElement.querySelector("input[type=password]");
  input?.addEventListener("keyup", (e) => { hint.hidden = !e.getModifierState?.("CapsLock"); });
  input?.addEventListener("blur", () => { hint.hidden = true; });
}

// A passkey is offered where this device can make one.
const offer = document.querySelector("[data-passkey]");
if (offer) globalThis.PublicKeyCredential?.isUserVerifyingPlatformAuthenticatorAvailable?.().then((can) => { offer.hidden = !can; }, () => {});

// "Remember my name": kept in this browser alone, written when the form is sent.
const box = document.querySelector("input[data-remember]");
const name = box && document.getElementById(box.dataset.remember);
if (name) {
  const key = "weir.name";
  try {
    const known = localStorage.getItem(key);
    if (known) { box.checked = true; if (!name.value) name.value = known; }
    name.form.addEventListener("submit", () => {
      if (box.checked && name.value) localStorage.setItem(key, name.value);
      else localStorage.removeItem(key);
    });
    box.closest(".field").hidden = false;
  } catch { /* no storage: the box stays away */ }
}

// Some browsers drop autofocus; the summary of errors or the first field gets it.
if (!document.activeElement || document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
