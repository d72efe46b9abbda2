import { exampleId, pick } from "./state/examples";
import { start } from "./state/start";

// Examples are whole situations: a configuration, a request and who sends it.
export function Examples() {
  const examples = start.value?.examples ?? [];
  return (
    <nav class="examples" aria-label="Examples">
      <span class="examples-label" aria-hidden="true">Try an example</span>
      <ul>
        {examples.map((e) => (
          <li key={e.id}>
            <button type="button" aria-pressed={e.id === exampleId.value} data-example={e.id} title={e.about} onClick={() => pick(e)}>{e.title}</button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
