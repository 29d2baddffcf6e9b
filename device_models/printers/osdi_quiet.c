/* No noise: what osdi_noise.c offers, of no size and without effect. */
typedef struct {} Noise;
typedef struct {} Bound;
typedef struct {} Drive;
#define BOUND_STEP_OFFSET NO_OFFSET
#define bound_step(bound, noise, time, last) ((void)0)
#define noise_rate(noise, node, time) (-0.0) /* which changes no sum, not even that of zeros */
#define drive_room(d, cells) true
#define drive_begin(d, noise, volts) ((void)0)
#define drive_fits(d, noise, volts) true
#define drive_add(d, cell, node, own) ((void)0)
#define drive_at(d, cells, time) ((void)0)
#define drive_accept(d, cells, time, span) ((void)0)
#define drive_smooth(d, cells, solution) ((void)0)
#define drive_predict(d, cells, solution, span) ((void)0)
#define drive_rate(d, cell) (-0.0)
