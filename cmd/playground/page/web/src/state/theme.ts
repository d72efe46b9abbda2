import { signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";

const key = "playground-theme";

function kept(): Theme {
  const value = localStorage.getItem(key);
  return value === "light" || value === "dark" ? value : "auto";
}

// theme is the colour scheme: the system's, unless somebody chose.
export const theme = signal<Theme>(kept());

export function chooseTheme(next: Theme): void {
  theme.value = next;
  if (next === "auto") localStorage.removeItem(key);
  else localStorage.setItem(key, next);
}

theme.subscribe((value) => {
  document.documentElement.dataset["theme"] = value;
});
