/** Finds the key that a token's header names; null when it is none of the project's. */
export type FindKey = (kid: string) => Promise<CryptoKey | null>

/** Keys by which the project itself signs tokens. Whoever makes them stands above this area, and says how they are found. */
export class OwnKeys {
  #find: FindKey | null = null

  /** Is told once how keys are found. */
  foundBy(find: FindKey): void {
    this.#find = find
  }

  async find(kid: string): Promise<CryptoKey | null> {
    return this.#find === null ? null : this.#find(kid)
  }
}
