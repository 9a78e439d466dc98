/** What is searched: a few texts, in which words stand in different forms and orders; and one that is null. */
export const texts: readonly (string | null)[] = [
  'The cat sat over the rat',
  'cats and rats',
  'A fox, hunting at night; dogs were not hunting.',
  'Salt of the sea',
  'sea salt',
  'SALT',
  'the',
  '',
  null,
  'cat cat fox',
  'fox and cat',
  'The hunt over night: a fox hunted dogs',
  'rat dogs sea',
  'night over the sea, and salt',
  'zebras hunt',
  'dog and the fox',
]
