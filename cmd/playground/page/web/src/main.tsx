// The page of the playground: a route's configuration, who calls, and what the
// gateway makes of it.

import { render } from "preact";
import { App } from "./App";
import { checkAsYouType, configText, keptConfig } from "./state/config";
import { keptExample, pick } from "./state/examples";
import { follow } from "./state/live";
import { loadStart } from "./state/start";
import { tryAgainOnChange, tryNow } from "./state/trial";
import "./styles/page.css";

const page = document.getElementById("page") as HTMLElement;
page.textContent = "";

const kept = keptConfig();
render(<App />, page);

const started = await loadStart();
if (started) {
  const wanted = keptExample();
  const first = started.examples.find((e) => e.id === wanted) ?? started.examples[0];
  if (first) pick(first);
  if (kept) configText.value = kept; // what somebody wrote outlives a reload
  checkAsYouType();
  tryAgainOnChange();
  follow();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
  event.preventDefault();
  void tryNow();
});
