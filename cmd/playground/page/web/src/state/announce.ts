import { signal } from "@preact/signals";

// announced is what a screen reader reads out next; the text is on the page
// elsewhere too.
export const announced = signal("");

export function announce(text: string): void {
  announced.value = text;
}
