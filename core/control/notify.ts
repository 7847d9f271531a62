// SPDX-License-Identifier: MIT
// Tells the service manager what the server is doing, where it wants to know (sd_notify(3)).

/** Sends states such as `READY=1` to the service manager. */
export interface Notifier {
  send(...states: string[]): void;
}

const SILENT: Notifier = { send: () => {} };

/**
 * The notifier for the socket that NOTIFY_SOCKET names; a silent one where nobody wants to know.
 * The variable is removed, so that child processes do not speak for the server.
 */
export async function takeNotifier(
  variables: { get(name: string): string | undefined; delete(name: string): void },
): Promise<Notifier> {
  const path = variables.get("NOTIFY_SOCKET");
  if (!path) return SILENT;
  variables.delete("NOTIFY_SOCKET");
  const { connectDatagram, sendDatagram } = await import("../../native/datagram.ts");
  const fd = connectDatagram(path);
  return {
    send: (...states) => sendDatagram(fd, new TextEncoder().encode(states.join("\n"))),
  };
}
