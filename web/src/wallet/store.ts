// SPDX-License-Identifier: AGPL-3.0-only
/** A few records in IndexedDB: keys do not belong into localStorage, which every extension reads as text. */

const NAME = "ouro";
const STORE = "session-keys";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const asked = work(database.transaction(STORE, mode).objectStore(STORE));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  } finally {
    database.close();
  }
}

export const read = <T>(key: string): Promise<T | undefined> => run("readonly", (store) => store.get(key));
export const write = (key: string, value: unknown): Promise<IDBValidKey> =>
  run("readwrite", (store) => store.put(value, key));
export const remove = (key: string): Promise<undefined> => run("readwrite", (store) => store.delete(key));
