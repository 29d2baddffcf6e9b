/* A cell of an analog core as a compiled device: a terminal for each of its own states, one a neighbour.
 *
 *   d(C x)/dt = g * rate(x, sums),  sum_f = sum over neighbours j of k_j * f(x_j)
 *
 * x are OWN states, one volt a unit, each on a C of its own: a second one is a resonator's current, and its equation
 * the inductor's. Neighbours see the first, and act on it.
 *
 * Printed above this text: the family's sizes (OWN, FEATURES, PARAMETERS, INSTANCE_PARAMETERS, CHUNKS, ...), where its
 * parameters are (parameter_at, parameter_default), and time_terms, cell_features, cell_slopes and cell_rate,
 * derived from its one description; and Noise, Bound and Drive, of osdi_noise.c or osdi_quiet.c. Printed below it: the
 * descriptors, one for each number of neighbours.
 *
 * Here: an instance's data, what a cell does by itself, and what it stamps. See osdi_sweep.c for all at once.
 */

typedef struct {
  double g, c;               /* S and F: a rate of one is a current of g times one volt into c */
  double w;                  /* rad/s of the carrier, if there is one */
  double switches[CHUNKS];   /* s; switches[k] ends chunk k, the last one is never looked at */
  Noise noise;
} Model;

/* What an instance starts with. Behind it: matrix elements, node numbers, derivatives, parameters. */
typedef struct {
  double current[OWN];       /* resistive residuals, A, */
  double slope[OWN * OWN];   /* and their derivatives by the own states, S */
  double charge[OWN];        /* reactive residuals, C, */
  double capacitance;        /* and their derivative, F */
  double source[OWN];        /* what the linearisation leaves on the right-hand side, A */
  double *reactive[OWN];     /* matrix elements of the own states, small-signal part */
  uint64_t generation;       /* of the sweep this cell is enrolled in, 0 for none */
  uint32_t index;            /* its number there */
  uint32_t neighbours;
  bool full;                 /* whether the matrix has elements for the neighbours */
  Bound bound;
} Cell;

/* The order of instance parameters: multiplicity, cell parameters, with noise the node's number, then a chunk's
 * weights as one text, since a parameter a weight costs ngspice a third of a second for the 300,000 weights of a
 * 56 x 56 core.
 */
enum { NUMBERS = 1 + INSTANCE_PARAMETERS };

#define UP(bytes) (((bytes) + 7) / 8 * 8)
#define ELEMENTS(d, full) ((full) ? (d) + OWN * OWN : OWN * OWN)
#define ELEMENTS_AT sizeof(Cell)
#define NODES_AT(d, full) (ELEMENTS_AT + sizeof(double *) * ELEMENTS(d, full))
#define OTHERS_AT(d, full) (NODES_AT(d, full) + UP(sizeof(uint32_t) * ((d) + OWN)))
#define VALUES_AT(d, full) (OTHERS_AT(d, full) + ((full) ? sizeof(double) * (d) : 0))
#define TEXTS_AT(d, full) (VALUES_AT(d, full) + sizeof(double) * (NUMBERS + (d) * CHUNKS))
#define GIVEN_AT(d, full) (TEXTS_AT(d, full) + sizeof(char *) * CHUNKS)
#define CELL_SIZE(d, full) (GIVEN_AT(d, full) + UP(NUMBERS))

#define PART(type, at) \
  ((type *)((char *)cell + ((cell)->full ? at((cell)->neighbours, true) : at((cell)->neighbours, false))))
static double **elements(Cell *cell) { return (double **)((char *)cell + ELEMENTS_AT); }
static uint32_t *node_numbers(Cell *cell) { return PART(uint32_t, NODES_AT); }
static double *others(Cell *cell) { return PART(double, OTHERS_AT); } /* d current[0] / d neighbour's state */
static double *values(Cell *cell) { return PART(double, VALUES_AT); }
static double *weights(Cell *cell, uint32_t chunk) {
  return values(cell) + NUMBERS + (size_t)chunk * cell->neighbours;
}

/* A step that ends at a boundary still belongs to the chunk before it. */
static uint32_t chunk_at(const double *switches, double time) {
  uint32_t chunk = 0;
  while (chunk + 1 < CHUNKS && time > switches[chunk]) chunk++;
  return chunk;
}

static void gather_parameters(Cell *cell, uint32_t chunk, double *parameters) {
  for (int p = 0; p < PARAMETERS; p++) parameters[p] = values(cell)[1 + parameter_at[chunk][p]];
}

/* The neighbours' part in a full Jacobian: derivatives, and what they leave on the right-hand side. */
RARE static void finish_full(Cell *cell, double g, const double *weight, const double *by_sum,
                             const double *states, const double *slopes) {
  const uint32_t *node = node_numbers(cell) + OWN;
  for (uint32_t j = 0; j < cell->neighbours; j++) {
    double derivative = 0, x = states[node[j]], own[FEATURES];
    const double *slope = slopes ? slopes + (size_t)node[j] * FEATURES : own;
    if (!slopes) cell_slopes(x, own);
    for (int f = 0; f < FEATURES; f++) derivative += by_sum[f] * slope[f];
    others(cell)[j] = -g * weight[j] * derivative;
    cell->source[0] += others(cell)[j] * x;
  }
}

/* What follows from the states, their rates and the rates' slopes. */
static inline void finish(Cell *cell, const double *x, double g, const double *rate, const double *slope) {
  for (int a = 0; a < OWN; a++) {
    cell->current[a] = -g * rate[a];
    cell->charge[a] = cell->capacitance * x[a];
    cell->source[a] = g * rate[a];
    for (int b = 0; b < OWN; b++) {
      cell->slope[a * OWN + b] = -g * slope[a * OWN + b];
      cell->source[a] += cell->slope[a * OWN + b] * x[b];
    }
  }
}

RARE static void evaluate_alone(Cell *cell, const Model *model, const SimulatorInfo *info) {
  const uint32_t *node = node_numbers(cell), chunk = chunk_at(model->switches, info->abstime);
  const double *weight = weights(cell, chunk), g = model->g * values(cell)[0];
  double sums[FEATURES] = {0}, by_sum[FEATURES], features[FEATURES], parameters[PARAMETERS + 1];
  double rate[OWN], slope[OWN * OWN], timed[TIMED + 1], x[OWN];
  for (int a = 0; a < OWN; a++) x[a] = info->prev_solve[node[a]];
  time_terms(model->w * info->abstime, timed);
  for (uint32_t j = 0; j < cell->neighbours; j++) {
    cell_features(info->prev_solve[node[j + OWN]], features);
    for (int f = 0; f < FEATURES; f++) sums[f] += weight[j] * features[f];
  }
  cell_features(x[0], features);
  gather_parameters(cell, chunk, parameters);
  cell_rate(x, features, sums, parameters, timed, rate, slope, by_sum);
  rate[0] += noise_rate(&model->noise, values(cell)[INSTANCE_PARAMETERS], info->abstime);
  bound_step(&cell->bound, &model->noise, info->abstime, model->noise.longest);
  finish(cell, x, g, rate, slope);
  if (cell->full) finish_full(cell, g, weight, by_sum, info->prev_solve, NULL);
}

static uint64_t setups; /* in the whole process, counted by atomic operations */
static bool fetch_from_sweep(Cell *cell, const Model *model, const SimulatorInfo *info);

static void setup_model(void *handle, void *model, SimulatorParameters *simulator, InitInfo *result) {
  (void)handle, (void)model, (void)simulator;
  *result = (InitInfo){0};
  __atomic_fetch_add(&setups, 1, __ATOMIC_RELAXED);
}

void (*osdi_log)(void *handle, char *message, uint32_t level); /* the simulator puts its own here */
static char read_already[] = ""; /* stands for a text whose weights are in the instance */

/* The weights of a chunk from their text, "0.5:-0.25:1e-3", which ngspice hands over and never frees. */
static bool read_weights(Cell *cell, uint32_t chunk, char **text) {
  char *at = *text;
  uint32_t count = 0;
  if (!at || at == read_already) return true;
  while (count < cell->neighbours) {
    char *end;
    weights(cell, chunk)[count] = strtod(at, &end);
    if (end == at) break;
    count += 1;
    at = end + (*end == ':');
  }
  bool whole = count == cell->neighbours && *at == '\0';
  free(*text);
  *text = read_already;
  return whole;
}

static bool setup_cell(void *handle, Cell *cell, const Model *model, const uint8_t *given, char **texts) {
  for (int v = 0; v < NUMBERS; v++)
    if (!given[v]) values(cell)[v] = v ? parameter_default[v - 1] : 1.0;
  for (uint32_t k = 0; k < CHUNKS; k++)
    if (!read_weights(cell, k, &texts[k])) {
      if (osdi_log)
        osdi_log(handle, "a chunk's weights are not as many numbers as the cell has neighbours\n", LOG_ERROR);
      return false;
    }
  cell->capacitance = model->c * values(cell)[0];
  cell->generation = 0; /* nodes or parameters may be others than last time */
  return true;
}

static uint32_t evaluate(void *handle, void *instance, void *model, SimulatorInfo *info) {
  (void)handle;
  if (!fetch_from_sweep(instance, model, info)) evaluate_alone(instance, model, info);
  return 0;
}

static void load_jacobian_resist(void *instance, void *model) {
  (void)model;
  Cell *cell = instance;
  for (int k = 0; k < OWN * OWN; k++) *elements(cell)[k] += cell->slope[k];
  if (cell->full)
    for (uint32_t j = 0; j < cell->neighbours; j++) *elements(cell)[OWN * OWN + j] += others(cell)[j];
}

static void load_jacobian_react(void *instance, void *model, double alpha) {
  (void)model;
  Cell *cell = instance;
  for (int a = 0; a < OWN; a++) *cell->reactive[a] += alpha * cell->capacitance;
}

static void load_jacobian_tran(void *instance, void *model, double alpha) {
  load_jacobian_resist(instance, model);
  for (int a = 0; a < OWN; a++)
    *elements(instance)[a * OWN + a] += alpha * ((Cell *)instance)->capacitance;
}

static void load_spice_rhs_dc(void *instance, void *model, double *target, double *prev_solve) {
  (void)model, (void)prev_solve;
  for (int a = 0; a < OWN; a++) target[node_numbers(instance)[a]] += ((Cell *)instance)->source[a];
}

static void load_spice_rhs_tran(
    void *instance, void *model, double *target, double *prev_solve, double alpha) {
  (void)model, (void)prev_solve;
  Cell *cell = instance;
  for (int a = 0; a < OWN; a++)
    target[node_numbers(cell)[a]] += cell->source[a] + alpha * cell->charge[a];
}

static void load_residual_resist(void *instance, void *model, double *target) {
  (void)model;
  for (int a = 0; a < OWN; a++) target[node_numbers(instance)[a]] += ((Cell *)instance)->current[a];
}

static void load_residual_react(void *instance, void *model, double *target) {
  (void)model;
  for (int a = 0; a < OWN; a++) target[node_numbers(instance)[a]] += ((Cell *)instance)->charge[a];
}

static void write_jacobian_resist(void *instance, void *model, double *target) {
  (void)model;
  Cell *cell = instance;
  memcpy(target, cell->slope, sizeof cell->slope);
  if (cell->full) memcpy(target + OWN * OWN, others(cell), sizeof(double) * cell->neighbours);
}

static void write_jacobian_react(void *instance, void *model, double *target) {
  (void)model;
  for (int a = 0; a < OWN; a++) target[a] = ((Cell *)instance)->capacitance;
}

static void load_nothing(void *instance, void *model, double *target) {
  (void)instance, (void)model, (void)target;
}

static void load_no_noise(void *instance, void *model, double frequency, double *density) {
  (void)instance, (void)model, (void)frequency, (void)density;
}

static uint32_t given_in_model(void *model, uint32_t id) {
  (void)model, (void)id;
  return 1;
}

static void *access_model(Model *model, uint32_t id) {
  if (CARRIER && id == 2) return &model->w;
  if (id >= NOISE_AT) return (double *)&model->noise + (id - NOISE_AT);
  return id == 0 ? &model->g : id == 1 ? &model->c : &model->switches[id - 2 - CARRIER];
}

/* What depends on the layout, and the descriptor itself, for d neighbours and one kind of Jacobian. */
#define CELL(d, kind, full_)                                                                                \
  static void *access_##d##_##kind(void *instance, void *model, uint32_t id, uint32_t flags) {              \
    if (id >= NUMBERS + CHUNKS)                                                                             \
      return model && id < NUMBERS + CHUNKS + MODEL_PARAMETERS ? access_model(model, id - NUMBERS - CHUNKS) \
                                                               : NULL;                                      \
    if (!instance) return NULL;                                                                             \
    if (id >= NUMBERS) return (char **)((char *)instance + TEXTS_AT(d, full_)) + (id - NUMBERS);            \
    if (flags & ACCESS_SET) ((uint8_t *)instance)[GIVEN_AT(d, full_) + id] = 1;                             \
    return (double *)((char *)instance + VALUES_AT(d, full_)) + id;                                         \
  }                                                                                                         \
  static uint32_t given_##d##_##kind(void *instance, uint32_t id) {                                         \
    return id < NUMBERS ? ((uint8_t *)instance)[GIVEN_AT(d, full_) + id] : 1;                               \
  }                                                                                                         \
  static void setup_##d##_##kind(void *handle, void *instance, void *model, double temperature,             \
                                 uint32_t terminals, SimulatorParameters *simulator, InitInfo *result) {    \
    (void)temperature, (void)simulator;                                                                     \
    Cell *cell = instance;                                                                                  \
    cell->neighbours = d;                                                                                   \
    cell->full = full_;                                                                                     \
    bool right = setup_cell(handle, cell, model, (uint8_t *)instance + GIVEN_AT(d, full_),                          \
                            (char **)((char *)instance + TEXTS_AT(d, full_)));                              \
    *result = (InitInfo){.flags = right && terminals == d + OWN ? 0 : RETURN_FATAL};                          \
  }

#define DESCRIPTOR(d, kind, full_, name_)                                                                   \
  {                                                                                                         \
    .name = name_, .nodes_count = d + OWN, .terminals_count = d + OWN, .nodes = nodes,                          \
    .entries_count = ELEMENTS(d, full_), .entries = entries, .collapsed_offset = 0,                         \
    .parameters_count = NUMBERS + CHUNKS + MODEL_PARAMETERS,                                                \
    .instance_parameters_count = NUMBERS + CHUNKS, .parameters = parameters,                                \
    .node_mapping_offset = NODES_AT(d, full_), .resistive_pointers_offset = ELEMENTS_AT,                    \
    .bound_step_offset = BOUND_STEP_OFFSET, .instance_size = CELL_SIZE(d, full_), .model_size = sizeof(Model),      \
    .access = access_##d##_##kind, .setup_model = setup_model, .setup_instance = setup_##d##_##kind,        \
    .eval = evaluate, .load_noise = load_no_noise, .load_residual_resist = load_residual_resist,            \
    .load_residual_react = load_residual_react, .load_limit_rhs_resist = load_nothing,                      \
    .load_limit_rhs_react = load_nothing, .load_spice_rhs_dc = load_spice_rhs_dc,                           \
    .load_spice_rhs_tran = load_spice_rhs_tran, .load_jacobian_resist = load_jacobian_resist,               \
    .load_jacobian_react = load_jacobian_react, .load_jacobian_tran = load_jacobian_tran,                   \
    .given_flag_model = given_in_model, .given_flag_instance = given_##d##_##kind,                          \
    .resistive_entries_count = ELEMENTS(d, full_), .reactive_entries_count = OWN,                             \
    .write_jacobian_array_resist = write_jacobian_resist,                                                   \
    .write_jacobian_array_react = write_jacobian_react,                                                     \
  }
