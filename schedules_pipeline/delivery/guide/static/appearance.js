// On every page: the theme button, and controls that need a script.
const THEMES = ["automatic", "light", "dark"];
const root = document.documentElement;
const button = document.getElementById("theme");

for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;

function show(theme) {
  if (theme === "automatic") delete root.dataset.theme;
  else root.dataset.theme = theme;
  document.getElementById("theme-name").textContent = theme;
}

function remember(theme) {
  try {
    if (theme === "automatic") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // Storage may be blocked; then the choice lasts until the page is left.
  }
}

show(root.dataset.theme ?? "automatic");
button.addEventListener("click", () => {
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme ?? "automatic") + 1) % THEMES.length];
  show(theme);
  remember(theme);
});
