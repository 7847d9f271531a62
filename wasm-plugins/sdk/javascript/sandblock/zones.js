// SPDX-License-Identifier: MIT
// What disks with zones tell about them, as the host takes it.

/** What `zones` of a disk says: { zoneSize, zoneCapacity, maxOpen, maxActive, maxAppend }, all but the first 0. */
export function zonesRecord(zones) {
  if (!zones) return undefined;
  const { zoneSize, zoneCapacity = 0, maxOpen = 0, maxActive = 0, maxAppend = 0 } = zones;
  return {
    maxOpen,
    maxActive,
    maxAppend,
    zoneSize: BigInt(zoneSize),
    zoneCapacity: BigInt(zoneCapacity),
  };
}

/** Tells what `zoneReport` of a disk says: a list of { start, length, capacity, pointer, type, condition }. */
export function reportZones(request, list) {
  for (const { start, length, capacity = length, pointer = start, type, condition } of list) {
    request.zone({
      start: BigInt(start),
      length: BigInt(length),
      capacity: BigInt(capacity),
      pointer: BigInt(pointer),
      type,
      condition,
    });
  }
}
