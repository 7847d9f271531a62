// SPDX-License-Identifier: MIT
// The data-path thread: one loop over the connections that have something to do, with no event loop
// beneath it but between two runs, when there are commands. It polls for a moment while traffic is live
// and sleeps in epoll_wait otherwise.

import type { Device, OpenExport } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import type { NodeMetrics } from "../block/metrics.ts";
import type { ExportDirectory } from "../nbd/directory.ts";
import type { NegotiationProgress } from "../nbd/negotiation.ts";
import { createSession, type Session } from "../nbd/session.ts";
import { Epoll, Poll } from "../../native/epoll.ts";
import { peerText, socketRole } from "../../native/socket.ts";
import { setNonBlocking } from "../../native/descriptor.ts";
import { libc } from "../../native/libc.ts";
import { ProcessorLatency } from "../../native/processor_latency.ts";
import type { InheritedConnection } from "../control/options.ts";
import type { LogLevel } from "../plugin/instance.ts";
import { type GraphView, viewGraph } from "../graph/describe.ts";
import type { Policy } from "../policy/loaded.ts";
import { Acceptor } from "./acceptor.ts";
import { BusyPoll } from "./busy_poll.ts";
import { Connection } from "./connection.ts";
import { Handshake } from "./handshake.ts";
import type { MovingClient, ReactorStart } from "./messages.ts";
import { NamedDirectory } from "./named_directory.ts";
import {
  type Phase,
  type PhaseHost,
  type ServingPhase,
  type SourcePhase,
  type SourceSurroundings,
  Turn,
} from "./phase.ts";
import { agreedTerms } from "./agreed_terms.ts";
import { Finish, Served } from "./served.ts";
import { Transmission } from "./transmission.ts";
import { UnzonedDirectory } from "./unzoned_directory.ts";

/** Events taken from epoll at a time. */
const EVENTS_MAX = 256;
/** While busy, the loop looks for other events once in so many rounds. */
const ROUNDS_PER_LOOK = 8;
/** A connection that was idle for so many rounds leaves the loop to epoll. */
const IDLE_ROUNDS_MAX = 64;
/** Connections beyond this number are not polled while they are idle. */
const POLLED_MAX = 8;
/** How often deadlines are looked at while there are any. */
const HOUSEKEEPING_MS = 1000;
/** Exports that could not be opened yet are tried again after so long, or when something happens. */
const DEFERRED_MS = 5;
/** After so long without any event, nothing is kept ready for a fast answer any more. */
const REST_MS = 10;
/** What a device does before it is closed may take so long in all, however well it gets on. */
const FINISH_MS_MAX = 600_000;
/** When memory is short, a client that keeps some and has not moved for so long is closed. */
const STALL_MS = 5000;

/** What a reactor reports. */
export interface ReactorHost {
  log(level: LogLevel, text: string): void;
  /** The last connection has gone. */
  idle(): void;
  /** A client is to go on at another reactor. */
  move(place: number, client: MovingClient): void;
  /** It has drained, and the device gets on with what it had put off. */
  finishing(): void;
}

/** See the top of this file. */
export class Reactor implements PhaseHost {
  readonly #start: ReactorStart;
  readonly #host: ReactorHost;
  readonly #served: readonly Served[];
  readonly #epoll = new Epoll(EVENTS_MAX);
  readonly #acceptor: Acceptor;
  readonly #busyPoll: BusyPoll;
  readonly #load: Int32Array;
  readonly #longCalls: Int32Array;
  readonly #connections = new Map<number, Connection>();
  readonly #byPhase = new Map<Phase, Connection>();
  readonly #hot: Connection[] = [];
  #rounds = 0;
  #negotiating = 0;
  #starved = 0;
  /** Handshakes that wait for their export to be opened. */
  readonly #deferred = new Set<Connection>();
  #housekeepingMs = 0;
  #drainDeadlineMs = Infinity;
  #finishEndMs = Infinity;
  /** When the main thread is to be told again that the device is still getting on. */
  #finishToldMs = 0;
  #hasCommands = false;

  /** `devices`: those of `start`. */
  constructor(devices: readonly Device[], start: ReactorStart, host: ReactorHost) {
    this.#start = start;
    this.#host = host;
    const log = (level: LogLevel, text: string) => this.log(level, text);
    this.#served = start.devices.map((one, index) => {
      return new Served(devices[index]!, one, start.limits.inflightBytesMax, log);
    });
    this.#busyPoll = new BusyPoll(start.busyPollUs, new ProcessorLatency());
    this.#load = new Int32Array(start.load);
    this.#longCalls = new Int32Array(start.longCalls);
    this.#epoll.add(start.wakeFd, Poll.In);
    for (const fd of devices.flatMap(({ completionFds }) => completionFds)) {
      this.#epoll.add(fd, Poll.In);
    }
    this.#acceptor = new Acceptor({
      listeners: start.listeners,
      epoll: this.#epoll,
      load: this.#load,
      others: start.others,
      connectionsMax: start.limits.connectionsMax,
      adopt: (fd, peer) => this.adopt(fd, peer),
      log: (level, text) => host.log(level, text),
    });
  }

  /**
   * Runs until there are commands, which only arrive when it does not run, or until it was drained. Whether it
   * was.
   */
  run(): boolean {
    this.#hasCommands = false;
    while (!this.#isDrained()) {
      if (this.#hasCommands) return false;
      if (this.#round()) {
        this.#busyPoll.worked();
        if (++this.#rounds % ROUNDS_PER_LOOK === 0) this.#look(0);
      } else if (this.#mayPoll() && this.#busyPoll.again()) {
        // The system may have woken the very client that is waited for on this processor. But one that
        // loops in a plugin would keep it until the next tick of the clock.
        if (this.#longCalls[0] === 0) libc.sched_yield();
        if (++this.#rounds % ROUNDS_PER_LOOK === 0) this.#look(0);
      } else this.#sleep();
    }
    this.#busyPoll.rest();
    this.#epoll.close();
    for (const { context } of this.#served) context.pool.trim();
    return true;
  }

  /** Takes a connected, non-blocking socket that is counted in `load`. */
  adopt(fd: number, peer: string): void {
    this.#open(new Connection(fd, fd, peer, performance.now(), this.#limits.handshakeTimeoutMs));
  }

  /** Takes a client that was connected before the server began. Throws BlockError. */
  inherit(inherited: InheritedConnection): void {
    const { inputFd, outputFd, transmission } = inherited;
    for (const fd of new Set([inputFd, outputFd])) setNonBlocking(fd);
    const peer = socketRole(inputFd) === "connected" ? peerText(inputFd) : `fd:${inputFd}`;
    const now = performance.now();
    const connection = new Connection(
      inputFd,
      outputFd,
      peer,
      now,
      this.#limits.handshakeTimeoutMs,
    );
    connection.unwatchable = [inputFd, outputFd].filter((fd) => !this.#epoll.takes(fd));
    if (!transmission) {
      Atomics.add(this.#load, this.#start.index, 1);
      return this.#open(connection);
    }
    const session = createSession(agreedTerms(this.#forClient(peer), transmission));
    Atomics.add(this.#load, this.#start.index, 1);
    this.#register(connection);
    this.#transmit(connection, session);
    this.#heat(connection);
  }

  /** Serves requests that come in another way than over a socket. Throws what `make` throws. */
  attach(
    make: (surroundings: SourceSurroundings) => SourcePhase,
    { exportName }: { exportName: string },
  ): void {
    const served = this.#start.exports === null ? this.#served[0]! : this.#servedAs(exportName)!;
    const phase = make({
      context: served.context,
      host: this,
      open: (peer) => this.#openExport(exportName, peer),
    });
    const { eventFd, peer } = phase;
    const connection = new Connection(eventFd, eventFd, peer, performance.now(), Infinity);
    Atomics.add(this.#load, this.#start.index, 1);
    this.#register(connection);
    this.#serve(connection, phase, served);
    this.#heat(connection);
  }

  /** What a client of an export would be told; "" is the default export. Throws BlockError. */
  describe(exportName: string): ExportInfo {
    const opened = this.#openExport(exportName, "kernel");
    const info = structuredClone(opened.info);
    opened.close();
    return info;
  }

  /** Lets go of all clients once the device has finished what it works on, without answers. */
  abandon(): void {
    for (const connection of this.#connections.values()) {
      connection.phase.hangUp();
      this.#heat(connection);
    }
  }

  /** Has all clients of an export, "" is the default one, use it as it is now. */
  reopen(exportName: string): void {
    const name = this.describe(exportName).name;
    for (const [phase, connection] of this.#byPhase) {
      const serving = phase as ServingPhase;
      if (serving.exportName !== name) continue;
      serving.reopen(() => this.#openExport(name, connection.peer));
      this.#heat(connection);
    }
  }

  #openExport(exportName: string, peer: string): OpenExport {
    const directory = this.#directory(peer);
    const name = exportName === "" ? directory.defaultExport() : exportName;
    if (name !== null) return directory.open(name);
    throw new BlockError(Errno.ENOENT, "cannot open an export: there are several; name one");
  }

  /** The nodes of an export; "" is the default one, or the first where there is none. */
  graph(exportName: string): GraphView {
    const directory = this.#directory("graph");
    const byDefault = () => directory.defaultExport() ?? directory.list()[0]?.name;
    const name = exportName === "" ? byDefault() : exportName;
    if (name === undefined) throw new BlockError(Errno.ENOENT, "the device has no export");
    const opened = directory.open(name);
    try {
      return viewGraph(this.#servedFor(name).options, opened);
    } finally {
      opened.close();
    }
  }

  /** What is counted of each device before its nodes; null where nothing is. */
  profiles(): (NodeMetrics | null)[] {
    return this.#served.map(({ profile }) => profile?.metrics() ?? null);
  }

  /** Goes on with a handshake that another reactor has begun. */
  takeOver({ inputFd, outputFd, peer, leftMs, progress, received }: MovingClient): void {
    const connection = new Connection(inputFd, outputFd, peer, performance.now(), leftMs);
    connection.unwatchable = [inputFd, outputFd].filter((fd) => !this.#epoll.takes(fd));
    this.#open(connection, progress, received);
  }

  /** Decides about requests to what is served as `exportName`, whoever they come from. */
  usePolicy(exportName: string | undefined, policy: Policy | null): void {
    for (const served of this.#served) if (served.name === exportName) served.usePolicy(policy);
    for (const [phase, { peer, served }] of this.#byPhase) {
      if (served!.name !== exportName) continue;
      const serving = phase as ServingPhase;
      serving.guard = served!.guard(serving.exportName, peer);
    }
  }

  /** Stops accepting, refuses what is new and ends the loop once everything is answered. */
  drain(): void {
    this.#acceptor.close();
    this.#drainDeadlineMs = performance.now() + this.#limits.drainTimeoutMs;
    for (const connection of this.#connections.values()) {
      connection.phase.drain();
      this.#heat(connection);
    }
  }

  answered(phase: Phase): void {
    const connection = this.#byPhase.get(phase);
    if (connection) this.#heat(connection);
  }

  log(level: LogLevel, text: string): void {
    if (level === "debug" && !this.#start.verbose) return;
    this.#host.log(level, text);
  }

  get #limits() {
    return this.#start.limits;
  }

  #directory(peer: string): ExportDirectory {
    const { exports, index } = this.#start;
    if (exports === null) return this.#served[0]!.directory(peer);
    return new NamedDirectory(exports, index, (name) => this.#servedAs(name), peer);
  }

  /** The exports as a client of NBD gets them. */
  #forClient(peer: string): ExportDirectory {
    return new UnzonedDirectory(this.#directory(peer));
  }

  /** What serves the export `name`, which exists. */
  #servedFor(name: string): Served {
    return this.#start.exports === null ? this.#served[0]! : this.#servedAs(name)!;
  }

  #servedAs(name: string): Served | undefined {
    return this.#served.find((served) => served.name === name);
  }

  #open(connection: Connection, progress?: NegotiationProgress, received?: Uint8Array): void {
    const { peer } = connection;
    const { optionsMax } = this.#limits;
    const directory = this.#forClient(peer);
    const begun = progress === undefined ? {} : { progress };
    const options = { directory, limits: { optionsMax }, peer, ...begun };
    connection.phase = new Handshake(options, connection, received);
    this.#negotiating++;
    this.#register(connection);
    this.#heat(connection);
    // A client that arrives as the server stops is told so like the others.
    if (this.#drainDeadlineMs !== Infinity) connection.phase.drain();
  }

  #register(connection: Connection): void {
    this.#connections.set(connection.inputFd, connection);
    this.#connections.set(connection.outputFd, connection);
    this.log("debug", `${connection.peer}: connected`);
  }

  /** Gives every hot connection a turn. Whether any of them, or the device, got somewhere. */
  #round(): boolean {
    let worked = false;
    const hot = this.#hot;
    for (let i = hot.length - 1; i >= 0; i--) {
      const connection = hot[i]!;
      const turn = connection.phase.turn();
      if (turn === Turn.Worked) {
        worked = true;
        connection.idleRounds = 0;
      } else {
        // Requests that came with the end of the handshake are here already: nothing would wake it.
        if (turn === Turn.Agreed) worked = true;
        this.#settleTurn(connection, turn);
      }
    }
    for (let i = 0; i < this.#served.length; i++) if (this.#served[i]!.work()) worked = true;
    if (worked && this.#starved > 0) this.#feedStarved();
    return worked;
  }

  #settleTurn(connection: Connection, turn: number): void {
    if (turn === Turn.Closed) return this.#close(connection);
    if (turn === Turn.Agreed) return this.#agree(connection);
    if (turn === Turn.Moved) return this.#move(connection);
    if (turn === Turn.Deferred) {
      this.#deferred.add(connection);
      return this.#cool(connection);
    }
    if (turn === Turn.Starved) {
      connection.starved = true;
      this.#starved++;
      return this.#cool(connection);
    }
    connection.idleRounds++;
    const polled = this.#hot.length <= POLLED_MAX || connection.idleRounds < 2;
    if (!polled || connection.idleRounds > IDLE_ROUNDS_MAX && this.#hot.length > 1) {
      this.#cool(connection);
    }
  }

  #mayPoll(): boolean {
    if (this.#hot.length > 0) return true;
    for (let i = 0; i < this.#served.length; i++) {
      if (this.#served[i]!.context.pending > 0) return true;
    }
    return false;
  }

  #sleep(): void {
    for (let i = this.#hot.length - 1; i >= 0; i--) this.#cool(this.#hot[i]!);
    const sleepMs = this.#sleepMs();
    if (!this.#busyPoll.restless) this.#look(sleepMs);
    else if (this.#look(sleepMs < 0 ? REST_MS : Math.min(sleepMs, REST_MS)) === 0) {
      return this.#busyPoll.rest();
    }
    this.#busyPoll.slept();
  }

  #sleepMs(): number {
    let deviceMs = Infinity;
    for (const { context } of this.#served) deviceMs = Math.min(deviceMs, context.device.nextMs);
    const deadlines = deviceMs !== Infinity || this.#negotiating > 0 || this.#starved > 0 ||
      this.#acceptor.paused ||
      this.#drainDeadlineMs !== Infinity;
    if (!deadlines) return -1;
    const next = Math.min(this.#housekeepingMs, this.#drainDeadlineMs, deviceMs);
    const most = this.#deferred.size > 0 ? DEFERRED_MS : HOUSEKEEPING_MS;
    return Math.max(0, Math.min(most, Math.ceil(next - performance.now())));
  }

  /** Takes events, waiting for them up to `timeoutMs`. Returns how many there were. */
  #look(timeoutMs: number): number {
    const count = this.#epoll.wait(timeoutMs);
    const now = performance.now();
    for (let i = 0; i < count; i++) {
      this.#event(this.#epoll.descriptor(i), this.#epoll.events(i), now);
    }
    for (let i = 0; i < this.#served.length; i++) {
      const { device } = this.#served[i]!.context;
      if (now >= device.nextMs) device.reap();
    }
    if (now >= this.#housekeepingMs) this.#keepHouse(now);
    if (this.#deferred.size > 0) this.#retryDeferred();
    return count;
  }

  /** The device may have got on with what they wait for. */
  #retryDeferred(): void {
    for (const connection of this.#deferred) this.#heat(connection);
    this.#deferred.clear();
  }

  #event(fd: number, events: number, now: number): void {
    const connection = this.#connections.get(fd);
    if (connection !== undefined) {
      const isGone = (events & (Poll.HangUp | Poll.Error)) !== 0 &&
        connection.inputFd === connection.outputFd && (connection.events & Poll.In) === 0;
      if (isGone) {
        this.#unwatch(connection);
        connection.phase.hangUp();
      }
      this.#heat(connection);
    } else if (fd === this.#start.wakeFd) this.#hasCommands = true;
    else if (this.#acceptor.owns(fd)) this.#acceptor.accept(fd, now);
    else this.#reapFor(fd);
  }

  /** Something that a device has waited for is done. */
  #reapFor(fd: number): void {
    for (let i = 0; i < this.#served.length; i++) {
      const { device } = this.#served[i]!.context;
      if (device.completionFds.includes(fd)) return device.reap();
    }
  }

  #heat(connection: Connection): void {
    connection.idleRounds = 0;
    if (connection.starved) {
      connection.starved = false;
      this.#starved--;
    }
    if (connection.hot) return;
    connection.hot = true;
    this.#hot.push(connection);
    // After its one event, epoll is to be told before the next sleep what to watch for.
    if (connection.watched > 0 && connection.phase.watchedOnlyAsleep) {
      connection.watched = Poll.None;
    }
  }

  /** Leaves the connection to epoll. */
  #cool(connection: Connection): void {
    // Nothing would wake it: its input never makes anybody wait.
    const isReady = connection.unwatchable.includes(connection.inputFd) &&
      (connection.events & Poll.In) !== 0;
    if (isReady) return;
    connection.phase.pause();
    connection.cooledMs = performance.now();
    this.#remove(connection);
    this.#watch(connection);
  }

  #remove(connection: Connection): void {
    if (!connection.hot) return;
    connection.hot = false;
    const hot = this.#hot;
    const last = hot.pop()!;
    if (last !== connection) hot[hot.indexOf(connection)] = last;
  }

  #watch(connection: Connection): void {
    const { events, watched, inputFd, outputFd } = connection;
    if (events === watched) return;
    if (inputFd !== outputFd) {
      this.#watchOneWay(connection, inputFd, Poll.In);
      this.#watchOneWay(connection, outputFd, Poll.Out);
    } else if (watched === -1) this.#epoll.add(inputFd, events);
    else this.#epoll.modify(inputFd, events);
    connection.watched = events;
  }

  /** Pipes and files: each is watched only while it is wanted, as its end says nothing else. */
  #watchOneWay(connection: Connection, fd: number, event: number): void {
    if (connection.unwatchable.includes(fd)) return;
    const before = connection.watched === -1 ? 0 : connection.watched & event;
    const now = connection.events & event;
    if (now !== 0 && before === 0) this.#epoll.add(fd, event);
    else if (now === 0 && before !== 0) this.#epoll.remove(fd);
  }

  #unwatch(connection: Connection): void {
    const { watched, inputFd, outputFd } = connection;
    if (watched === -1) return;
    if (inputFd === outputFd) this.#epoll.remove(inputFd);
    else {
      const isWatched = (fd: number) => !connection.unwatchable.includes(fd);
      if ((watched & Poll.In) !== 0 && isWatched(inputFd)) this.#epoll.remove(inputFd);
      if ((watched & Poll.Out) !== 0 && isWatched(outputFd)) this.#epoll.remove(outputFd);
    }
    connection.watched = -1;
  }

  #agree(connection: Connection): void {
    const handshake = connection.phase as Handshake;
    this.#negotiating--;
    connection.handshakeDeadlineMs = Infinity;
    const transmission = this.#transmit(connection, handshake.session);
    if (!transmission.preload(handshake.leftover)) transmission.hangUp();
  }

  /** Hands a connection over to the reactor of the export that it has named. */
  #move(connection: Connection): void {
    const { move, leftover } = connection.phase as Handshake;
    const { place, progress, bytes } = move;
    const { inputFd, outputFd, peer, handshakeDeadlineMs } = connection;
    const received = new Uint8Array(bytes.length + leftover.length);
    received.set(bytes);
    received.set(leftover, bytes.length);
    const leftMs = handshakeDeadlineMs - performance.now();
    this.#negotiating--;
    this.#forget(connection);
    // Counted there first: a server may end when it has no client.
    Atomics.add(this.#load, place, 1);
    Atomics.sub(this.#load, this.#start.index, 1);
    this.#host.move(place, { inputFd, outputFd, peer, leftMs, progress, received });
  }

  #transmit(connection: Connection, session: Session): Transmission {
    const { exportName } = session;
    const served = this.#servedFor(exportName);
    const { inflightRequestsMax } = this.#limits;
    const transmission = new Transmission(
      session,
      served.context,
      this,
      connection,
      inflightRequestsMax,
    );
    this.#serve(connection, transmission, served);
    return transmission;
  }

  #serve(connection: Connection, phase: ServingPhase, served: Served): void {
    phase.guard = served.guard(phase.exportName, connection.peer);
    connection.phase = phase;
    connection.served = served;
    this.#byPhase.set(phase, connection);
  }

  #close(connection: Connection): void {
    const { phase, peer } = connection;
    if (connection.starved) this.#starved--;
    if (phase instanceof Handshake) {
      this.#negotiating--;
      if (phase.closeReason !== "") this.log("debug", `${peer}: ${phase.closeReason}`);
    } else this.#byPhase.delete(phase);
    phase.close();
    this.#forget(connection);
    connection.closeDescriptors();
    this.log("debug", `${peer}: closed`);
    Atomics.sub(this.#load, this.#start.index, 1);
    if (this.#acceptor.paused) this.#acceptor.resume(performance.now());
    if (this.#connections.size === 0) this.#host.idle();
  }

  #forget(connection: Connection): void {
    this.#deferred.delete(connection);
    this.#remove(connection);
    this.#unwatch(connection);
    this.#connections.delete(connection.inputFd);
    this.#connections.delete(connection.outputFd);
  }

  #feedStarved(): void {
    for (const connection of this.#connections.values()) {
      if (connection.starved) this.#heat(connection);
    }
  }

  #keepHouse(now: number): void {
    this.#housekeepingMs = now + HOUSEKEEPING_MS;
    if (this.#acceptor.paused) this.#acceptor.resume(now);
    if (this.#negotiating > 0) this.#endSlowHandshakes(now);
    if (this.#starved > 0) this.#closeStalled(now);
  }

  #endSlowHandshakes(now: number): void {
    for (const connection of [...this.#connections.values()]) {
      if (now < connection.handshakeDeadlineMs) continue;
      this.log("debug", `${connection.peer}: closed: the handshake took too long`);
      connection.handshakeDeadlineMs = Infinity;
      this.#close(connection);
    }
  }

  /** Others wait for memory: takes it from the client that has kept some idle for longest. */
  #closeStalled(now: number): void {
    let stalled: Connection | null = null;
    const short = new Set<Served | null>();
    for (const { starved, served } of this.#connections.values()) if (starved) short.add(served);
    for (const connection of this.#connections.values()) {
      if (!short.has(connection.served)) continue;
      if (connection.hot || connection.starved || !connection.phase.holdsMemory) continue;
      if (now - connection.cooledMs < STALL_MS) continue;
      if (stalled === null || connection.cooledMs < stalled.cooledMs) {
        stalled = connection;
      }
    }
    if (stalled === null) return this.#feedStarved();
    this.log("warning", `${stalled.peer}: closed: it has stalled while others wait for memory`);
    stalled.phase.hangUp();
    this.#heat(stalled);
    this.#feedStarved();
  }

  /** Lets devices do what they have put off, for as long as they get on with that. */
  #isFinished(): boolean {
    const states = this.#served.map((served) => served.finish());
    if (states.every((state) => state === Finish.Done)) return true;
    const now = performance.now();
    if (this.#finishEndMs === Infinity) this.#finishEndMs = now + FINISH_MS_MAX;
    if (states.includes(Finish.GettingOn)) {
      const { drainTimeoutMs } = this.#limits;
      this.#drainDeadlineMs = Math.min(now + drainTimeoutMs, this.#finishEndMs);
      if (now >= this.#finishToldMs) {
        this.#finishToldMs = now + HOUSEKEEPING_MS;
        this.#host.finishing();
      }
    }
    if (now < this.#drainDeadlineMs) return false;
    this.#host.log("error", "the device was closed before it had finished what it had put off");
    return true;
  }

  #isDrained(): boolean {
    if (this.#drainDeadlineMs === Infinity) return false;
    const pending = this.#served.some(({ context }) => context.pending > 0);
    if (this.#connections.size === 0 && !pending) return this.#isFinished();
    if (performance.now() < this.#drainDeadlineMs) return false;
    for (const connection of [...this.#connections.values()]) connection.phase.hangUp();
    for (const connection of [...this.#connections.values()]) this.#heat(connection);
    this.#drainDeadlineMs = performance.now() + this.#limits.drainTimeoutMs;
    return false;
  }
}
