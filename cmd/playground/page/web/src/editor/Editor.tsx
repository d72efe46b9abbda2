// A CodeMirror editor of JSON around a signal: it shows the signal's text and
// writes into it. Tab indents, as in every editor; Escape and then Tab leaves.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers, tooltips } from "@codemirror/view";
import { effect, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { styleNonce } from "../api";
import { tryNow } from "../state/trial";
import { look } from "./look";

export interface EditorProps {
  text: Signal<string>;
  label: string;
  describedBy?: string;
  extensions?: Extension;
  withLineNumbers?: boolean;
  onView?: (view: EditorView) => (() => void) | void;
}

// Typing over lines that are selected: Chromium would join what is left of them
// with a style attribute, which the page's policy does not allow.
const overSelectedLines = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to } = view.state.selection.main;
    const { doc } = view.state;
    if (event.inputType !== "insertText" || event.data === null || event.isComposing || doc.lineAt(from).number === doc.lineAt(to).number) return false;
    event.preventDefault();
    view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

const tryKey = { key: "Mod-Enter", run: () => (void tryNow(), true) };

export function Editor({ text, label, describedBy, extensions, withLineNumbers = false, onView }: EditorProps) {
  const parent = useRef<HTMLDivElement>(null);
  const more = useRef(new Compartment());
  const view = useRef<EditorView | null>(null);

  useEffect(() => {
    const made = new EditorView({
      parent: parent.current as HTMLDivElement,
      state: EditorState.create({
        doc: text.peek(),
        extensions: [
          EditorView.cspNonce.of(styleNonce),
          withLineNumbers ? [lineNumbers(), highlightActiveLineGutter(), lintGutter()] : [],
          history(), drawSelection(), indentOnInput(), indentUnit.of("  "), bracketMatching(), closeBrackets(),
          autocompletion({ icons: false }), highlightActiveLine(), json(), look,
          EditorView.lineWrapping,
          tooltips({ parent: document.body }), // not cut off by a panel that scrolls
          keymap.of([tryKey, ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap, indentWithTab]),
          EditorView.contentAttributes.of({ tabindex: "0", "aria-label": label, ...(describedBy ? { "aria-describedby": describedBy } : {}) }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) text.value = update.state.doc.toString();
          }),
          overSelectedLines,
          more.current.of(extensions ?? []),
        ],
      }),
    });
    view.current = made;
    const done = onView?.(made);
    const stop = effect(() => {
      const wanted = text.value;
      const now = made.state.doc.toString();
      if (wanted !== now) made.dispatch({ changes: { from: 0, to: now.length, insert: wanted } });
    });
    return () => {
      stop();
      done?.();
      made.destroy();
    };
  }, [text]);

  useEffect(() => {
    view.current?.dispatch({ effects: more.current.reconfigure(extensions ?? []) });
  }, [extensions]);

  return <div class="editor" ref={parent} />;
}
