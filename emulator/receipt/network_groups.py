"""The groups of a receipt of a Langevin network's equilibria, where they are others than those of a grid."""

from __future__ import annotations

from pydantic import Field

from emulator.receipt.claim import Claim
from emulator.receipt.field import Counted, Figure, Frozen, NotRecorded, Said, Size, Table
from emulator.receipt.groups import SampleKind


class NetworkSubstrate(Frozen):
    """What computes."""

    substrate: Said = Field(title="substrate", description="what a node is")
    family: Said = Field(title="family", description="the equation of a node")
    modules: Table = Field(title="modules", description="nodes of each")
    nodes: Counted = Field(title="nodes", description="of all modules")
    visible: Counted = Field(title="visible", description="nodes that are read out")
    hidden: Counted = Field(title="hidden", description="nodes that are not")
    topology: Said = Field(title="topology", description="within modules, and between them")
    skip_ranks: Said = Field(title="rank of the skips", description="between modules")
    couplings: Counted = Field(
        title="couplings", description="pairs of nodes within modules that are coupled"
    )
    coupling_degree: Figure = Field(
        title="coupling degree", description="couplings of a node within its module, on average"
    )
    symmetry: Said = Field(title="symmetry", description="of the couplings")
    temperature_kt: Figure = Field(title="temperature kT", description="in units of the potential")
    interface_parameters: Counted = Field(
        title="digital interface", description="parameters of the nets that make forces of inputs"
    )
    realization: Said = Field(title="realization", description="what makes a negative conductance")


class NetworkPrecision(Frozen):
    """What the hardware is taken to get wrong."""

    bias_bits: Said = Field(title="bias converters", description="bits of a force")
    noise_model: Said = Field(title="noise model", description="what noise drives the nodes")
    conductances: Said = Field(
        title="conductances", description="whether any had to be set to what can be made"
    )


class NetworkTime(Frozen):
    """How long an equilibrium takes."""

    time_unit_s: Size = Field(title="time unit", description="s", json_schema_extra={"unit": "s"})
    settling_time_s: Figure = Field(
        title="settling time",
        description="until visible nodes stay within 1 % of rest, s, median",
        json_schema_extra={"unit": "s"},
    )
    averaging_s: Size = Field(
        title="averaging", description="of a readout under noise, s", json_schema_extra={"unit": "s"}
    )


class NetworkReadout(Frozen):
    """How states become numbers."""

    readout: Said = Field(title="readout", description="of a visible node")
    adc_bits: Counted = Field(title="ADC", description="bits")
    adc_range: Said = Field(title="ADC range", description="ends of full scale, units of state")


class NetworkSimulation(Frozen):
    """How the equilibria were found."""

    kind: SampleKind | NotRecorded = Field(
        title="equilibria are of", description="silicon, a circuit simulation, or neither"
    )
    inputs: Said = Field(title="inputs", description="which were run")
    inputs_sha256: Said = Field(title="SHA-256 of the inputs", description="of the forces, float64")
    settings: Table = Field(title="settings", description="of the run")
    seed: Counted = Field(title="seed", description="of the noise")


class NetworkFidelity(Frozen):
    """What the equilibria came to, against linear algebra, or a reference of quartic wells."""

    inputs: Counted = Field(title="inputs run", description="in the results")
    accepted: Counted = Field(
        title="accepted", description="inputs that are as linear algebra or the reference says"
    )
    rest_error: Figure = Field(
        title="operating point", description="relative, against the conductances as made, worst input"
    )
    rest_error_trained: Figure = Field(
        title="operating point against the trained network", description="relative, worst input"
    )
    rate_error: Figure = Field(
        title="rates of the modes",
        description="relative, against the spectrum as made (with quartic wells the Jacobian's at rest), largest error "
        "of any input",
    )
    path_error: Figure = Field(
        title="on the way to rest",
        description="with quartic wells: largest distance of a node from the reference, over the largest at rest, "
        "worst input",
    )
    covariance_error: Figure = Field(
        title="covariance", description="Frobenius, relative to its closed form, worst input"
    )
    noise_defect: Figure = Field(
        title="under the same noise",
        description="circuit against reference a time constant after they were together, over the spread, worst input",
    )
    codes_within_1lsb: Figure = Field(
        title="codes within 1 LSB",
        description="share of the reference's",
        json_schema_extra={"unit": "share"},
    )


class NetworkEnergy(Frozen):
    """Joules an equilibrium: each kind of number in its place, or why there is none."""

    measured_silicon: Claim | NotRecorded = Field(title="measured silicon")
    circuit_simulation: Claim | NotRecorded = Field(title="circuit simulation")
    extrapolation: Claim | NotRecorded = Field(
        title="extrapolation: the simulation, and the forces' converters by a model"
    )
