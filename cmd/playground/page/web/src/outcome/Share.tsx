import { signal } from "@preact/signals";
import type { Trial } from "../types";
import { Choice, type Option } from "../ui/Choice";
import { CopyButton } from "../ui/CopyButton";

type Kind = keyof NonNullable<Trial["share"]>;

const kinds: Option<Kind>[] = [
  { id: "curl", title: "Admin API" },
  { id: "explain", title: "explain" },
  { id: "compose", title: "Compose" },
  { id: "helm", title: "Helm" },
];

const chosen = signal<Kind>("curl");

const about: Record<Kind, string> = {
  curl: "Puts this route into your APISIX.",
  explain: "Prints the same walk in your terminal; the token comes on standard input.",
  compose: "Runs the runner beside APISIX.",
  helm: "Values for the official Helm chart.",
};

// Share copies out what was tried; no token is in it.
export function Share({ share }: { share: NonNullable<Trial["share"]> }) {
  return (
    <section class="share" aria-labelledby="share-title">
      <h3 id="share-title">Take it with you</h3>
      <div class="row between">
        <Choice legend="As what" look="segments" options={kinds} value={chosen.value} onChoose={(id) => (chosen.value = id)} />
        <CopyButton text={share[chosen.value]} what={kinds.find((k) => k.id === chosen.value)?.title ?? ""} />
      </div>
      <p class="hint">{about[chosen.value]}</p>
      <pre class="body" tabindex={0} aria-label={`${chosen.value} snippet`}>{share[chosen.value]}</pre>
    </section>
  );
}
