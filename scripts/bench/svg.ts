/** Colours by place of the series, for light and for dark pages. Told apart also by those who see few colours. */
export const COLOURS = [
  ['#0a7d5a', '#34d399'],
  ['#9aa4b2', '#7b8696'],
  ['#5b6675', '#a9b4c4'],
  ['#b45309', '#fbbf24'],
  ['#1d4ed8', '#93c5fd'],
  ['#7e22ce', '#d8b4fe'],
] as const

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"

export const fixed = (value: number): string => value.toFixed(1)

export const escape = (raw: string): string =>
  raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** A text element of a class, at a place. */
export function text(
  kind: string,
  x: number,
  y: number,
  content: string,
  anchor = 'start',
): string {
  return `<text class="${kind}" x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}">${escape(content)}</text>`
}
