// The browser offers no passkeys any more that were removed here.
const { known } = document.querySelector("[data-known]").dataset;
globalThis.PublicKeyCredential?.signalAllAcceptedCredentials?.(JSON.parse(known)).catch(() => {});
