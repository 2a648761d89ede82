/** An instant that is known to lie between two, epoch ms. */
export interface Moment {
  readonly from: number
  readonly to: number
}

export function later({ from, to }: Moment, ms: number): Moment {
  return { from: from + ms, to: to + ms }
}

export function span({ from, to }: Moment): string {
  return from === to ? String(from) : `${from} … ${to}`
}
