import { useId } from "preact/hooks";

export interface Option<T extends string> {
  id: T;
  title: string;
}

// Choice is one of a few, shown beside one another: radio buttons, so that the
// arrow keys move between them.
export function Choice<T extends string>({ legend, options, value, onChoose, look }: {
  legend: string;
  options: readonly Option<T>[];
  value: T;
  onChoose: (id: T) => void;
  look: "segments" | "chips";
}) {
  const name = useId();
  return (
    <fieldset class={look}>
      <legend class="unseen">{legend}</legend>
      {options.map((o) => (
        <label key={o.id} class="choice" data-option={o.id}>
          <input type="radio" name={name} value={o.id} checked={o.id === value} onChange={() => onChoose(o.id)} />
          <span>{o.title}</span>
        </label>
      ))}
    </fieldset>
  );
}
