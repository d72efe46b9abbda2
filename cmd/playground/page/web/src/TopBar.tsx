import { start } from "./state/start";
import { chooseTheme, theme, type Theme } from "./state/theme";
import { Icon, type IconName } from "./ui/Icon";

const next: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const icons: Record<Theme, IconName> = { auto: "auto", light: "sun", dark: "moon" };
const names: Record<Theme, string> = { auto: "as the system", light: "light", dark: "dark" };

export function TopBar() {
  const s = start.value;
  return (
    <header class="top">
      <a class="skip" href="#outcome-title">Skip to what happened</a>
      <p class="brand">
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false"><rect width="32" height="32" rx="8" /><path d="M6 16h8m4 0h8M16 7v18" /></svg>
        <span class="name">auth0-jwt</span>
      </p>
      <h1>Playground <span>see a decision happen</span></h1>
      {s && <p class="where"><span>gateway <code>{s.gateway.replace(/^https?:\/\//, "")}</code></span><span>a double of {s.apisix}</span><span>runner {s.runnerVersion}</span></p>}
      <button type="button" class="button bare theme" onClick={() => chooseTheme(next[theme.value])} aria-label={`Colours: ${names[theme.value]}. Change to ${names[next[theme.value]]}`} title={`Colours: ${names[theme.value]}`}>
        <Icon name={icons[theme.value]} />
      </button>
    </header>
  );
}
