/** What a process gets to end by itself once its work is done, ms. */
const LINGER = 10_000

/** Ends this process although something was left open, says what, and fails it. One that ends by itself notices nothing. */
export function endSoon(): void {
  setTimeout(() => {
    const left = process.getActiveResourcesInfo().join(', ')
    process.stderr.write(`Something was left open, and would have kept this process: ${left}\n`)
    process.exit(1)
  }, LINGER).unref()
}
