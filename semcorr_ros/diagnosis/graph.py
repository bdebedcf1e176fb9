"""From facts about a node and its inputs to what is wrong and the fix. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from semcorr_ros.diagnosis.facts import Facts, Finding, Stream, error, ok, warn
from semcorr_ros.geometry.calibration import same_aspect
from semcorr_ros.reasons import REASONS
from semcorr_ros.refusal import Code

OLD = 1.0  # seconds by which a stamp may lie behind the clock
OVER = 10.0  # seconds after which a reason that has not come back is a thing of the past
SLOW = 1.0  # messages per second below which a camera is reported
DROPPED = "dropped "


def examine(facts: Facts) -> list[Finding]:
    """List all findings, in the order in which data flow."""
    findings = [*_node(facts)]
    for stream in facts.streams:
        findings += _stream(stream, facts)
    findings += [*_together(facts), *_time(facts)]
    if facts.found:
        findings += _diagnostics(facts.diagnostics)
    return findings


def _node(facts: Facts) -> Iterator[Finding]:
    if not facts.found:
        others = ", ".join(facts.nodes) or "none; is ROS_DOMAIN_ID the same?"
        yield error(
            "node",
            f"no node {facts.node}; nodes: {others}",
            "ros2 launch semcorr_ros perceive.launch.py, or name the node with --node",
        )
        return
    twins = facts.nodes.count(facts.node)
    if twins > 1:
        yield error(
            "node",
            f"{twins} nodes are called {facts.node}: calls reach either of them",
            "give one another name or namespace: name:=NAME or namespace:=ROBOT",
        )
    state = facts.diagnostics.get("lifecycle state")
    if state is not None and state != "active":
        fix = (
            f"ros2 lifecycle set {facts.node} {'configure, then ' if state == 'unconfigured' else ''}activate"
        )
        yield error("node", f"{facts.node} is {state}", fix)
    elif not facts.diagnostics:
        yield warn(
            "node", f"{facts.node} publishes no /diagnostics", "is it a perceive node, and not hanging?"
        )
    else:
        yield ok("node", f"{facts.node} is {state or 'up'}")


def _stream(stream: Stream, facts: Facts) -> Iterator[Finding]:
    about, optional = f"topic {stream.name}", stream.name == "depth"
    blame = warn if optional else error
    right = [offer for offer in stream.offers if offer.kind == stream.kind]
    if not stream.offers and stream.transport:
        yield blame(
            about, f"nobody publishes {stream.topic}, but {stream.transport} is there", _transport(stream)
        )
    elif not stream.offers:
        others = ", ".join(stream.others)
        hint = f"remap it: {stream.name}:=TOPIC, one of: {others}" if others else "start the camera driver"
        yield blame(about, f"nobody publishes {stream.topic}", hint)
    elif not right:
        kinds = ", ".join(sorted({offer.kind for offer in stream.offers}))
        hint = "set image_transport and depth_transport to what the camera sends, or remap"
        yield error(about, f"{stream.topic} is {kinds}, expected {stream.kind}", hint)
    if len(right) > 1:
        names = ", ".join(offer.node for offer in right)
        yield warn(about, f"{len(right)} publishers send on {stream.topic}: {names}",
                   REASONS[Code.SEVERAL_PUBLISHERS].fix)  # fmt: skip
    for offer in right:
        if offer.mismatch:
            fix = f"set qos_overrides.{stream.topic}.subscription.reliability or .durability to that"
            yield error(about, f"{stream.topic}: {offer.node} {offer.mismatch}", fix)
    if any(not offer.mismatch for offer in right):
        yield _arrival(stream, facts)
    yield from _content(stream)


def _transport(stream: Stream) -> str:
    """Return the parameter that chooses the form in which a stream is published."""
    name, packed = ("depth_transport", "compressedDepth") if stream.name.endswith("depth") else (
        "image_transport", "compressed")  # fmt: skip
    return f"{name}:={'raw' if stream.topic.endswith(packed) else packed}"


def _arrival(stream: Stream, facts: Facts) -> Finding:
    about, count = f"topic {stream.name}", len(stream.samples)
    if count == 0:
        return error(
            about,
            f"{stream.topic} has a publisher, but nothing came in {facts.watched:.0f} s",
            "is the camera streaming? Large images: see the buffers above, or image_transport: compressed",
        )
    rate = count / max(facts.watched, 1e-9)
    if rate < SLOW:
        return warn(
            about, f"{stream.topic}: {count} messages in {facts.watched:.0f} s",
            "check the driver's rate and the bandwidth",
        )  # fmt: skip
    return ok(about, f"{stream.topic}: {rate:.1f} per second, {_shape(stream)}")


def _shape(stream: Stream) -> str:
    last = stream.samples[-1]
    size = f"{last.size[1]}x{last.size[0]} " if last.size else ""
    return f"{size}{last.encoding} in frame {last.frame!r}".replace("  ", " ").strip()


def _content(stream: Stream) -> Iterator[Finding]:
    for refusal in sorted({sample.refusal for sample in stream.samples if sample.refusal}):
        code = refusal.partition(":")[0]
        yield error(f"topic {stream.name}", refusal, REASONS[Code[code]].fix)


def _together(facts: Facts) -> Iterator[Finding]:
    """Compare frames, sizes and stamps of streams, which must fit each other."""
    last = {stream.name: stream.samples[-1] for stream in facts.streams if stream.samples}
    frames = {name: sample.frame for name, sample in last.items()}
    for name, frame in frames.items():
        if frame.startswith("/"):
            fix = f"name it {frame.lstrip('/')!r} in the driver"
            yield warn(
                "frames", f"{name} has the frame_id {frame!r}: tf2 knows none with a leading slash", fix
            )
    frames = {name: frame.lstrip("/") for name, frame in frames.items() if frame}
    if len(set(frames.values())) > 1:
        listed = ", ".join(f"{name} {frame!r}" for name, frame in frames.items())
        yield warn("frames", f"they differ: {listed}", REASONS[Code.FRAME_MISMATCH].fix)
    yield from _sizes(
        {name: sample.size for name, sample in last.items() if sample.size and all(sample.size)}
    )
    slop = facts.parameters.get("sync_slop")
    stamps = {stream.name: [sample.stamp for sample in stream.samples] for stream in facts.streams}
    if isinstance(slop, float) and stamps.get("image") and stamps.get("depth"):
        gaps = [min(abs(image - depth) for depth in stamps["depth"]) for image in stamps["image"]]
        typical = sorted(gaps)[len(gaps) // 2]
        if typical >= slop:
            what = f"image and depth stamps are {typical:.3f} s apart, sync_slop is {slop:g} s"
            yield error("stamps", what, REASONS[Code.SYNC_MISS].fix)


def _sizes(sizes: dict[str, tuple[int, int]]) -> Iterator[Finding]:
    """Depth has the size of the image; a calibration of another resolution, of the same aspect, is scaled."""
    listed = ", ".join(f"{name} {w}x{h}" for name, (h, w) in sizes.items())
    image, info = sizes.get("image"), sizes.get("camera_info")
    pictures = {size for name, size in sizes.items() if name != "camera_info"}
    fits = image is None or info is None or same_aspect(info, image)
    if len(pictures) > 1 or not fits:
        yield error("sizes", f"they differ: {listed}", REASONS[Code.SIZE_MISMATCH].fix)
    elif len(set(sizes.values())) > 1:
        fix = (
            "publish the calibration of the mode that the camera is in, if it has another field of view there"
        )
        yield warn("sizes", f"they differ: {listed}; the calibration is scaled to the image", fix)


def _time(facts: Facts) -> Iterator[Finding]:
    simulated = facts.parameters.get("use_sim_time") is True
    if simulated and facts.clock_publishers == 0:
        yield error("clock", "use_sim_time is true, but nobody publishes /clock", "use_sim_time:=false")
    if not simulated and facts.clock_publishers:
        fix = "use_sim_time:=true for bags and simulators (ros2 bag play --clock)"
        yield warn("clock", "/clock is published, but use_sim_time is false", fix)
    for stream in facts.streams:
        if stream.samples and all(sample.stamp == 0 for sample in stream.samples):
            what = f"messages of {stream.topic} have the stamp 0: no transform can be looked up at their time"
            yield error("stamps", what, "let the camera's driver stamp its messages")
            continue
        late = sorted(sample.arrived - sample.stamp for sample in stream.samples)
        if late and not -OLD < late[len(late) // 2] < OLD:
            what = f"stamps of {stream.topic} are {late[len(late) // 2]:.1f} s behind the clock"
            fix = "synchronize the clocks (chrony), set use_sim_time for bags, or mend the driver's stamps"
            yield warn("stamps", what, fix)


def _diagnostics(values: dict[str, str]) -> Iterator[Finding]:
    """List what the node itself has counted, the most frequent reason first; what is over is no warning."""
    counted = {}
    for key, value in values.items():
        name = key.removeprefix(DROPPED)
        if key.startswith(DROPPED) and name in Code.__members__ and not REASONS[Code[name]].harmless:
            counted[Code[name]] = int(value)
    for code, count in sorted(counted.items(), key=lambda item: -item[1]):
        last = values.get(f"last {code.name}", "")
        when = f", last seen {last}" if last else ""
        what = f"{count} times{when}: {values.get(f'why {code.name}', REASONS[code].meaning)}"
        over = last and float(last.partition(" ")[0]) > OVER
        yield ok(code.name, what) if over else warn(code.name, what, REASONS[code].fix)
    if values and not counted:
        yield ok("drops", "the node has lost nothing")
