import { effect, computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { EditorSelection } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { Editor } from "../editor/Editor";
import { schemaExtensions, showFindings } from "../editor/schema";
import { checkedText, configText, findings, goTo } from "../state/config";
import { exampleId } from "../state/examples";
import { start } from "../state/start";
import { Findings } from "./Findings";

const about = computed(() => start.value?.examples.find((e) => e.id === exampleId.value)?.about ?? "");

// connect lets the editor show the findings, and go to one of them.
function connect(view: EditorView): () => void {
  const stops = [
    effect(() => {
      const list = findings.value;
      // Offsets of another text would underline the wrong words.
      if (checkedText.value === view.state.doc.toString()) showFindings(view, list);
    }),
    effect(() => {
      const to = goTo.value;
      if (!to) return;
      view.dispatch({ selection: EditorSelection.single(to.from, to.to), scrollIntoView: true });
      view.focus();
      goTo.value = null;
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

export function ConfigPanel() {
  const schema = start.value?.schema;
  const extensions = useMemo(() => (schema ? schemaExtensions(schema) : []), [schema]);
  return (
    <section class="panel config" aria-labelledby="config-title">
      <header class="panel-head">
        <h2 id="config-title"><span class="step">1</span>The route’s configuration</h2>
        <p class="about">{about}</p>
      </header>
      <div class="frame grows">
        <Editor text={configText} label="Configuration of the route, JSON" describedBy="editor-keys" extensions={extensions} withLineNumbers onView={connect} />
      </div>
      <p class="hint keys" id="editor-keys">
        <kbd>Ctrl</kbd> <kbd>Space</kbd> suggests. <kbd>Tab</kbd> indents; press <kbd>Esc</kbd>, then <kbd>Tab</kbd>, to leave the editor.
      </p>
      <Findings />
    </section>
  );
}
