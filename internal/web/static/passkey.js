// The ceremony between the browser and a passkey. It begins with the button, never
// by itself: beside a name it only lets the browser offer passkeys among the names.
// What the passkey answers goes into a hidden field. The texts stand in the page,
// hidden until they are true.
const slot = document.getElementById("passkey");
const { ceremony } = slot.dataset;
const options = JSON.parse(slot.dataset.options);
const field = slot.querySelector("input");
const form = field.form;
const ready = slot.querySelector("[data-ready]");
const button = ready.querySelector("button");
const beside = ceremony === "beside";
const offer = new AbortController();
let busy = false;

const show = (name) => { for (const part of slot.querySelectorAll("[data-says]")) part.hidden = part.dataset.says !== name; };

// Base64url, which older browsers do not read and write themselves.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

options.challenge = bytes(options.challenge);
if (options.user) options.user.id = bytes(options.user.id);
for (const known of [...(options.allowCredentials ?? []), ...(options.excludeCredentials ?? [])]) known.id = bytes(known.id);

const spell = (c) => {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (c.response[name]) response[name] = text(c.response[name]);
  }
  const out = { id: c.id, rawId: text(c.rawId), type: c.type, response, clientExtensionResults: {} };
  if (c.authenticatorAttachment) out.authenticatorAttachment = c.authenticatorAttachment;
  return JSON.stringify(out);
};

const whys = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known" };

async function answer(more) {
  const given = await navigator.credentials[beside ? "get" : ceremony]({ publicKey: options, ...more });
  field.value = spell(given);
  form.requestSubmit(button);
}

async function ask() {
  busy = true;
  offer.abort();
  show("wait");
  try {
    await answer();
  } catch (e) {
    show(whys[e.name] ?? "unfit");
  }
  busy = false;
}

form.addEventListener("submit", (e) => {
  if (field.value) return;
  e.preventDefault();
  e.stopImmediatePropagation();
  if (!busy) ask();
}, true);

slot.querySelector(".late")?.setAttribute("hidden", "");
if (window.PublicKeyCredential) {
  ready.hidden = false;
  if (beside) {
    if (await PublicKeyCredential.isConditionalMediationAvailable?.()) answer({ mediation: "conditional", signal: offer.signal }).catch(() => {});
  } else if (!document.activeElement || document.activeElement === document.body) button.focus();
} else show("unfit");
