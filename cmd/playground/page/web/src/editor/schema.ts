// What the schema of a configuration gives to the editor: completion, and an
// explanation of what the mouse is over. Errors come from the runner's own
// check, which knows more than a schema.

import { jsonLanguage } from "@codemirror/lang-json";
import { type Diagnostic, setDiagnostics } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import { type EditorView, hoverTooltip } from "@codemirror/view";
import { disableErrorLogging } from "best-effort-json-parser";
import { jsonCompletion, jsonSchemaHover, stateExtensions } from "codemirror-json-schema";
import type { Finding } from "../types";

// Half-written text is what an editor has, and no error for the console.
disableErrorLogging();

export function schemaExtensions(schema: Record<string, unknown>): Extension {
  return [
    jsonLanguage.data.of({ autocomplete: jsonCompletion() }),
    hoverTooltip(jsonSchemaHover()),
    stateExtensions(schema as Parameters<typeof stateExtensions>[0]),
  ];
}

// showFindings underlines what the findings are about.
export function showFindings(view: EditorView, findings: Finding[]): void {
  const end = view.state.doc.length;
  const within = (n: number) => Math.max(0, Math.min(end, n));
  const diagnostics: Diagnostic[] = findings.flatMap((f) =>
    f.from === undefined ? [] : [{
      from: within(f.from), to: within(f.to ?? f.from), severity: f.severity,
      message: f.path ? `${f.path}: ${f.message}` : f.message,
    }]);
  view.dispatch(setDiagnostics(view.state, diagnostics));
}
