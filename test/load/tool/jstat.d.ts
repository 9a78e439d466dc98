/** What is used of a package that has no types of its own. */
declare module 'jstat' {
  const jstat: {
    /** Quantiles of Student's t distribution. */
    readonly studentt: { inv(share: number, degrees: number): number }
    /** Cumulative distributions. */
    readonly chisquare: { cdf(value: number, degrees: number): number }
  }
  export default jstat
}
