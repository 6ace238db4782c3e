// Recovery codes are copied, kept as a file or printed. Without this module people
// select them, and print by the menu.
const tools = document.querySelector("[data-tools]");
const live = document.getElementById("live");
const codes = [...document.querySelectorAll(".codes code")].map((c) => c.textContent);

const acts = {
  async copy(button) {
    await navigator.clipboard.writeText(codes.join("\n"));
    live.textContent = button.dataset.copied;
    button.textContent = button.dataset.copied;
  },
  download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([tools.dataset.head, "\n\n", codes.join("\n"), "\n"], { type: "text/plain" }));
    link.download = tools.dataset.file;
    link.click();
    URL.revokeObjectURL(link.href);
  },
  print: () => print(),
};

for (const button of tools.querySelectorAll("button")) {
  // Pages that came without encryption have no clipboard.
  if (button.dataset.act === "copy" && !navigator.clipboard) { button.remove(); continue; }
  button.addEventListener("click", () => acts[button.dataset.act](button));
}
tools.hidden = false;
