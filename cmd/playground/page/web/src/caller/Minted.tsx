import { computed } from "@preact/signals";
import { Editor } from "../editor/Editor";
import { claimsError, claimsText, kind, pasted, variant } from "../state/caller";
import { start } from "../state/start";
import { trial } from "../state/trial";
import { Choice } from "../ui/Choice";
import { CopyButton } from "../ui/CopyButton";
import { TokenView } from "../ui/TokenView";
import { tokenOf } from "../ui/token";

// token is the one that was minted for the request that was sent last.
const token = computed(() => (trial.value ? tokenOf(trial.value.sent.headers) : ""));

// Minted is a token of the local issuer: its claims, and in which way it is bad.
export function Minted() {
  const variants = start.value?.variants ?? [];
  const chosen = variants.find((v) => v.id === variant.value);
  return (
    <>
      <Choice legend="Which token" look="chips" options={variants} value={variant.value} onChoose={(id) => (variant.value = id)} />
      <p class="hint about-variant">{chosen?.about}</p>
      <h3 id="claims-title">Claims <span class="hint">the local issuer signs them; it adds what is missing</span></h3>
      <div class="frame short"><Editor text={claimsText} label="Claims of the token, JSON" describedBy="editor-keys" /></div>
      {claimsError.value && <p class="said bad" role="alert">{claimsError.value}</p>}
      {token.value && (
        <>
          <div class="row between">
            <h3>The token that was sent</h3>
            <span class="row">
              <button type="button" class="button small" onClick={() => { pasted.value = token.value; kind.value = "pasted"; }}>Change it by hand</button>
              <CopyButton text={token.value} what="the token" />
            </span>
          </div>
          <TokenView token={token.value} />
        </>
      )}
    </>
  );
}
