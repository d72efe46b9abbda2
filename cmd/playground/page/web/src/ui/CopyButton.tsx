import { useState } from "preact/hooks";
import { announce } from "../state/announce";
import { Icon } from "./Icon";

// CopyButton copies a text, and says that it did.
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      announce(`Copied: ${what}.`);
      setTimeout(() => setCopied(false), 1600);
    } catch {
      announce("The browser did not allow to copy. Select the text and copy it.");
    }
  };
  return (
    <button type="button" class="button small" onClick={() => void copy()} aria-label={`Copy ${what}`}>
      <Icon name={copied ? "check" : "copy"} />
      {copied ? "Copied" : "Copy"}
    </button>
  );
}
