import { readdirSync, watch } from 'node:fs'
import { join } from 'node:path'

/**
 * Calls back, once for changes in quick succession, when a `.ts` or `.sql` file in one of the folders changes. Folders
 * are watched and not files, because editors save by putting another file in the place of the old one.
 */
export function watchFolders(folders: readonly string[], changed: () => void): void {
  const watched = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  const add = () => {
    for (const folder of folders.flatMap(withSubfolders)) {
      if (watched.has(folder)) continue
      watched.add(folder)
      watch(folder, (_, file) => {
        if (file !== null && !/\.(ts|sql)$/.test(file) && file.includes('.')) return
        clearTimeout(timer)
        timer = setTimeout(() => {
          add()
          changed()
        }, 200)
      }).on('error', () => watched.delete(folder))
    }
  }
  add()
}

function withSubfolders(folder: string): string[] {
  const inside = readdirSync(folder, { recursive: true, withFileTypes: true })
  return [
    folder,
    ...inside.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name)),
  ]
}
