/* White noise that drives the cells: normal numbers on a grid of times, linear between them.
 *
 * The numbers are those of device_models/noise.py, where their generator is described: a function of seed, sample,
 * node and grid point, so that whoever needs one computes it. In a library without noise osdi_quiet.c is in the place
 * of this file.
 */

/* What a model card says of it; an instance says its node's number, the last of its own parameters. */
typedef struct {
  double amplitude;          /* rate of a number of one, per model time unit */
  double grid;               /* s between grid points */
  double longest;            /* s, the solver's longest step: a whole number of them between two grid points */
  double seed[2], sample[2]; /* low and high 32 bits */
} Noise;

enum { PER_BLOCK = 4 }; /* grid points that one evaluation of the generator serves */

static uint64_t joined(const double *halves) { return (uint64_t)halves[1] << 32 | (uint64_t)halves[0]; }

/* Philox4x64-10 with counter (block, node, 0, 0), and what Box and Muller make of its words. */
static void draw_block(const Noise *noise, uint64_t block, uint64_t node, double *drawn) {
  uint64_t word[4] = {block, node, 0, 0}, key[2] = {joined(noise->seed), joined(noise->sample)};
  for (int turn = 0; turn < 10; turn++) {
    unsigned __int128 a = (unsigned __int128)word[0] * 0xD2E7470EE14C6C93u;
    unsigned __int128 c = (unsigned __int128)word[2] * 0xCA5A826395121157u;
    word[0] = (uint64_t)(c >> 64) ^ word[1] ^ key[0];
    word[2] = (uint64_t)(a >> 64) ^ word[3] ^ key[1];
    word[1] = (uint64_t)c;
    word[3] = (uint64_t)a;
    key[0] += 0x9E3779B97F4A7C15u;
    key[1] += 0xBB67AE8584CAA73Bu;
  }
  for (int pair = 0; pair < PER_BLOCK; pair += 2) {
    double radius = sqrt(-2 * log(((double)(word[pair] >> 11) + 0.5) * 0x1p-53));
    double angle = 6.283185307179586476925 * ((double)(word[pair + 1] >> 11) * 0x1p-53);
    drawn[pair] = radius * cos(angle);
    drawn[pair + 1] = radius * sin(angle);
  }
}

/* Number of the last grid point, and the share of the way to the next one. */
static uint64_t grid_point(const Noise *noise, double time, double *share) {
  double at = time / noise->grid, point = floor(at);
  *share = at - point;
  return (uint64_t)point;
}

/* The rate that the noise adds to a node. */
static double noise_rate(const Noise *noise, double node, double time) {
  double share, drawn[2][PER_BLOCK];
  uint64_t point = grid_point(noise, time, &share), block = point / PER_BLOCK, next = (point + 1) / PER_BLOCK;
  draw_block(noise, block, (uint64_t)node, drawn[0]);
  if (next != block) draw_block(noise, next, (uint64_t)node, drawn[1]);
  double from = drawn[0][point % PER_BLOCK], to = drawn[next != block][(point + 1) % PER_BLOCK];
  return noise->amplitude * (from + share * (to - from));
}

typedef struct { double s; } Bound; /* of the simulator's next step */

/* The longest next step, after one of `last`: it ends at the next grid point, or leaves it at least as far away
 * again. A simulator that is told so lands on every grid point and rejects no step for being longer than the next.
 * It is a hair longer than that, as one that ends just before a breakpoint would be halved to meet it.
 */
static void bound_step(Bound *bound, const Noise *noise, double time, double last) {
  double point = floor(time / noise->grid + 1e-6), left = (point + 1) * noise->grid - time;
  bound->s = left / ceil(left / fmin(2 * last, noise->longest) - 1e-6) * (1 + 1e-9);
}
#define BOUND_STEP_OFFSET offsetof(Cell, bound)

/* The noise of all cells at once; numbers are drawn once a block of grid points, rates are computed once a time point.
 *
 * Of a cell it also holds the walk, the noise's integral up to the last accepted time point. A state less its walk is
 * smooth enough to be extrapolated, where a state alone is not.
 */
typedef struct {
  Noise noise;
  double volts;                     /* that one unit of rate adds in a second */
  double time;                      /* when `now` is */
  uint64_t block;                   /* that `drawn` holds */
  uint64_t *node;                   /* a cell's number for the generator */
  uint32_t *own;                    /* a cell's number in the simulator's solution */
  double (*drawn)[1 + PER_BLOCK];   /* last number of the block before, then those of this one */
  double *now, *before;             /* rates: now, and at the last accepted time point */
  double *walk;                     /* V */
} Drive;

static bool grow(void *array, size_t count, size_t size);

static bool drive_room(Drive *d, size_t cells) {
  return grow(&d->node, cells, sizeof *d->node) && grow(&d->own, cells, sizeof *d->own) &&
         grow(&d->drawn, cells, sizeof *d->drawn) && grow(&d->now, cells, sizeof *d->now) &&
         grow(&d->before, cells, sizeof *d->before) && grow(&d->walk, cells, sizeof *d->walk);
}

static void drive_begin(Drive *d, const Noise *noise, double volts) {
  d->noise = *noise;
  d->volts = volts;
  d->time = -1;
  d->block = UINT64_MAX - 1; /* none that the first one follows */
}

static bool drive_fits(const Drive *d, const Noise *noise, double volts) {
  return !memcmp(&d->noise, noise, sizeof *noise) && d->volts == volts;
}

static void drive_add(Drive *d, uint32_t cell, double node, uint32_t own) {
  d->node[cell] = (uint64_t)node;
  d->own[cell] = own;
  d->walk[cell] = 0;
}

static void drive_at(Drive *d, uint32_t cells, double time) {
  if (d->time == time) return;
  double share;
  uint64_t next = grid_point(&d->noise, time, &share) + 1, block = next / PER_BLOCK, in = next % PER_BLOCK;
  if (block != d->block)
    for (uint32_t i = 0; i < cells; i++) {
      double *drawn = d->drawn[i];
      if (block && block != d->block + 1) draw_block(&d->noise, block - 1, d->node[i], drawn + 1);
      drawn[0] = drawn[PER_BLOCK];
      draw_block(&d->noise, block, d->node[i], drawn + 1);
    }
  d->block = block;
  for (uint32_t i = 0; i < cells; i++) {
    const double *drawn = d->drawn[i] + in;
    d->now[i] = d->noise.amplitude * (drawn[0] + share * (drawn[1] - drawn[0]));
  }
  d->time = time;
}

static inline double walk_since(const Drive *d, uint32_t i, double span) {
  return d->volts * 0.5 * (d->before[i] + d->now[i]) * span;
}

/* The time point at `time` is accepted, `span` after the one before it (0 if it is the first). */
static void drive_accept(Drive *d, uint32_t cells, double time, double span) {
  drive_at(d, cells, time);
  for (uint32_t i = 0; i < cells; i++) d->walk[i] += span > 0 ? walk_since(d, i, span) : 0;
  double *rates = d->before;
  d->before = d->now;
  d->now = rates;
  d->time = -1;
}

/* From a solution at the last accepted time point to what is smooth. */
static void drive_smooth(const Drive *d, uint32_t cells, double *solution) {
  for (uint32_t i = 0; i < cells; i++) solution[d->own[i]] -= d->walk[i];
}

/* And back, `span` after that time point. */
static void drive_predict(const Drive *d, uint32_t cells, double *solution, double span) {
  for (uint32_t i = 0; i < cells; i++) solution[d->own[i]] += d->walk[i] + walk_since(d, i, span);
}

static inline double drive_rate(const Drive *d, uint32_t cell) { return d->now[cell]; }
