import { pasted } from "../state/caller";
import { TokenView } from "../ui/TokenView";

// Pasted is any token at all; it goes to this machine's gateway and nowhere
// else.
export function Pasted() {
  return (
    <>
      <label class="field" for="pasted">
        <span>A token</span>
        <textarea id="pasted" class="mono" rows={5} value={pasted.value} onInput={(e) => (pasted.value = e.currentTarget.value)}
          placeholder="eyJhbGciOi…" autocomplete="off" spellcheck={false} aria-describedby="pasted-hint" />
      </label>
      <p class="hint" id="pasted-hint">It stays on this machine: it is sent to the gateway here, is kept nowhere, and is gone when you reload the page.</p>
      {pasted.value.trim() !== "" && <TokenView token={pasted.value.trim()} />}
    </>
  );
}
