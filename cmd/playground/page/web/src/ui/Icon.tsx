// The page's few drawings, 16 units wide, in the colour of the text around.

const shapes = {
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  dash: "M4 8h8",
  dot: "M8 8h.01",
  warn: "M8 2.5 14.5 13.5h-13zM8 6.5v3.2M8 11.7v.1",
  arrow: "M2 8h11M9 4l4 4-4 4",
  copy: "M6 5.5h7.5V14H6zM3 10.5H2.5V2H10v.5",
  play: "M4.5 3v10l8-5z",
  plus: "M8 3v10M3 8h10",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  moon: "M13 9.6A5.6 5.6 0 1 1 6.4 3 4.5 4.5 0 0 0 13 9.6z",
  auto: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M10 3v10M12 4.5v7",
  chevron: "M4 6l4 4 4-4",
  person: "M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8zM2.8 14c.5-2.7 2.6-4 5.2-4s4.700 1.300 5.200 4",
  gate: "M2.500 14V4.500M13.500 14V4.500M2.500 5.500h11M5.500 5.500V14M8 5.500V14M10.500 5.500V14",
  shield: "M8 1.800 13.500 3.800v4c0 3.400-2.300 5.500-5.500 6.500-3.200-1-5.500-3.100-5.500-6.500v-4zM5.700 8l1.700 1.700 3-3.200",
  server: "M2.500 3h11v4h-11zM2.500 9h11v4h-11zM5 5h.01M5 11h.01",
  login: "M9 2.500h4.500v11H9M2 8h7.500M6.500 5l3 3-3 3",
  pulse: "M1 8.500h3l2-5 3.500 9 2-4H15",
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}
