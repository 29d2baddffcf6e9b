"""The groups of a receipt of samples drawn from a grid of cells; units stand in the descriptions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from emulator.energy.figure import Kind
from emulator.receipt.claim import Claim
from emulator.receipt.field import (
    Counted,
    Figure,
    Frozen,
    NotRecorded,
    Recorded,
    Said,
    Sentences,
    Size,
    Table,
    Tally,
)


class WeightBits(Recorded[Annotated[int, Field(ge=1)] | Literal["full precision"]]):
    """A resolution that somebody recorded."""


class Symmetry(Recorded[Literal["symmetric", "asymmetric"]]):
    """A symmetry that somebody recorded."""


class SampleKind(Recorded[Kind]):
    """A kind of number that somebody recorded."""


class Files(Frozen):
    """What was run, by which programs."""

    weights_file: Said = Field(title="weights file", description="its name")
    weights_sha256: Said = Field(title="SHA-256 of the weights", description="of the file's bytes")
    netlist_sha256: Said = Field(
        title="SHA-256 of the netlist",
        description="without a sample's initial state; of a network the files in netlist/, driven by its first input",
    )
    program_version: Said = Field(title="ais-emulator", description="version that ran")
    ngspice_version: Said = Field(title="ngspice", description="version that ran")
    finished: Said = Field(title="finished", description="when the run was, UTC")


class Substrate(Frozen):
    """What the samples are drawn from."""

    substrate: Said = Field(title="substrate", description="what a cell is")
    family: Said = Field(title="AIS family", description="the equation of a cell")
    nodes: Counted = Field(title="nodes", description="cells of the core")
    visible: Counted = Field(title="visible", description="cells that a pixel shows")
    hidden: Counted = Field(title="hidden", description="cells that no pixel shows")
    topology: Said = Field(title="topology", description="where cells stand and how far couplings reach")
    coupling_degree: Figure = Field(
        title="coupling degree", description="neighbours that a cell hears, on average"
    )
    couplers: Counted = Field(title="couplers", description="elements")
    symmetry: Symmetry | NotRecorded = Field(
        title="symmetry", description="symmetric: K_ij = K_ji, as passive couplers force"
    )
    time_chunks: Counted = Field(
        title="time chunks", description="stretches of time with weights of their own"
    )


class Precision(Frozen):
    """What the hardware is taken to get wrong."""

    weight_bits: WeightBits | NotRecorded = Field(
        title="bit width", description="bits of a weight; full precision: 64-bit floating point"
    )
    noise_model: Said = Field(title="noise model", description="what noise drives the cells")
    non_idealities: Table = Field(
        title="non-idealities", description="everything in force, with its value and unit"
    )


class Time(Frozen):
    """How long a sample takes."""

    model_time: Size = Field(
        title="model time",
        description="from start to readout, model time units",
        json_schema_extra={"unit": "model time units"},
    )
    settling_time_s: Size = Field(
        title="settling time", description="from start to readout, s", json_schema_extra={"unit": "s"}
    )
    clock_Hz: Size = Field(
        title="clock",
        description="carrier frequency of the oscillators, Hz",
        json_schema_extra={"unit": "Hz"},
    )
    cycles_per_sample: Size = Field(title="cycles per sample", description="of the carrier")


class Readout(Frozen):
    """How states become pixels."""

    readout: Said = Field(title="readout", description="function of the state at the end of the run")
    image: Said = Field(title="image", description="rows x columns")
    adc_bits: Counted = Field(title="ADC", description="bits")
    adc_range: Said = Field(title="ADC range", description="ends of full scale, units of the readout")


class Training(Frozen):
    """What the weights file says of its training; quoted, not checked."""

    dataset: Said = Field(title="dataset", description="what was learned")
    objective: Said = Field(title="objective", description="what training minimised")
    discriminator: Said = Field(title="discriminator", description="the network that judged samples")
    ode_solver: Said = Field(title="ODE solver in training", description="method and steps")
    training_seed: Said = Field(title="training seed", description="of initialisation and batches")
    fid_protocol: Said = Field(
        title="FID protocol", description="feature network, number of samples, reference set"
    )
    baseline_reproduction: Said = Field(
        title="baseline reproduction", description="which published baseline was re-run, and with what result"
    )
    training_energy_boundary: Said = Field(
        title="training-energy boundary", description="what training took, and what is counted"
    )
    further: Table = Field(title="it also says", description="attributes of other names")


class Simulation(Frozen):
    """How the samples were made."""

    kind: SampleKind | NotRecorded = Field(
        title="samples are of", description="silicon, a circuit simulation, or neither"
    )
    level: Said = Field(title="level", description="of fidelity: phase, lc, ring, or a cell's file")
    devices: Said = Field(title="devices", description="form of the devices in the simulator")
    solver_options: Table = Field(title="solver options", description="of ngspice")
    seed: Counted = Field(title="seed", description="of initial states, noise and converter")


class Fidelity(Frozen):
    """What the samples came to, against a reference solver that knows nothing of circuits."""

    samples: Counted = Field(title="samples", description="in the results")
    samples_asked: Counted = Field(title="samples asked for", description="of the run")
    verdicts: Tally = Field(title="verdicts", description="on the simulations")
    accepted: Counted = Field(title="accepted", description="samples within what was demanded")
    demanded: Said = Field(title="demanded", description="of every sample")
    codes_within_1lsb: Figure = Field(
        title="codes within 1 LSB",
        description="share of the reference's through the same converter",
        json_schema_extra={"unit": "share"},
    )
    codes_within_1lsb_of_trained: Figure = Field(
        title="codes within 1 LSB of the trained model's",
        description="the same against the model without non-idealities",
        json_schema_extra={"unit": "share"},
    )
    pixel_rms: Figure = Field(
        title="pixel error",
        description="rms, circuit against reference, units of the readout",
        json_schema_extra={"unit": "units of the readout, rms"},
    )
    worst_window: Figure = Field(
        title="worst window",
        description="largest rms defect of any window of any sample, state units",
        json_schema_extra={"unit": "state units, rms"},
    )
    fid: Figure = Field(title="FID", description="of the samples against the data")


class Layout(Frozen):
    """What of a layout is in the simulation."""

    layout_caveats: Sentences = Field(title="layout caveats", description="what is not in it")


class Basis(Frozen):
    """What an extrapolation is computed from; any of these that nobody recorded can be stated."""

    nodes: Counted = Field(title="oscillators", description="of the core")
    degree: Figure = Field(title="coupling degree", description="couplings an oscillator has")
    bits: Counted = Field(title="bit width", description="of a weight")
    clock_Hz: Size = Field(title="clock", description="Hz", json_schema_extra={"unit": "Hz"})
    cycles: Size = Field(title="cycles per sample", description="of the carrier")
    chunks: Counted = Field(title="time chunks", description="how often weights are loaded")
    visible: Counted = Field(title="pixels", description="that are converted")
    adc_bits: Counted = Field(title="ADC", description="bits of a conversion")
    symmetry: Symmetry | NotRecorded = Field(
        title="symmetry", description="symmetric: both directions of a pair share wire and weight"
    )
    wire_pitches: Figure = Field(title="wire of a coupling", description="mean length, cell pitches")
    cell_weights: Counted = Field(
        title="weights of a cell", description="of its own that are loaded for each chunk: injection, bias"
    )


class Energy(Frozen):
    """Joules a sample: each kind of number in its place, or why there is none."""

    basis: Basis = Field(title="computed from")
    measured_silicon: Claim | NotRecorded = Field(title="measured silicon")
    circuit_simulation: Claim | NotRecorded = Field(title="circuit simulation")
    extrapolation: Claim | NotRecorded = Field(title="extrapolation, as published")
    extrapolation_with_terms: Claim | NotRecorded = Field(title="extrapolation with what it leaves out")
