// Light, dark, or as the system has it: kept in this browser.

const KEY = "streamq-theme";
const THEMES = ["auto", "light", "dark"];

export const theme = () => document.documentElement.dataset.theme ?? "auto";

export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  document.documentElement.dataset.theme = next;
  localStorage.setItem(KEY, next);
}

const kept = localStorage.getItem(KEY);
document.documentElement.dataset.theme = THEMES.includes(kept) ? kept : "auto";
