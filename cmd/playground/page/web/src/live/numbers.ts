// Numbers for a small place.

export function rate(n: number): string {
  return n >= 100 ? Math.round(n).toLocaleString("en") : n.toFixed(n >= 10 || n === 0 ? 0 : 1);
}

export function whole(n: number): string {
  return n.toLocaleString("en");
}

// brief is a number of seconds as people say it.
export function brief(seconds: number): string {
  if (!(seconds > 0)) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  return seconds < 1 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms` : `${seconds.toFixed(1)} s`;
}

export function age(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(ratio > 0.9 && ratio < 1 ? 1 : 0)} %`;
}
