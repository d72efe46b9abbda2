// Descriptions of the schema, as codemirror-json-schema shows them: text with
// `code` in it, and nothing else that markup could be.

const special: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (c) => special[c] ?? c);
}

export function renderMarkdown(text: string | null | undefined): string {
  return escape(text ?? "").replace(/`([^`]*)`/g, "<code>$1</code>");
}
