/* A trainer of your own: ten least-squares classifiers of 64 features, in the training ABI
 * (docs/reference/train-abi.md). README.md says how it is built and tried. */
#define EXPORT(name) __attribute__((export_name(#name))) name

enum { FEATURES = 64, CLASSES = 10, BATCH = 32, WEIGHTS = CLASSES * FEATURES };
enum { PARAMETERS = WEIGHTS + CLASSES };

static float parameters[PARAMETERS], velocity[PARAMETERS], gradient[PARAMETERS];
static float examples[BATCH * FEATURES], outputs[BATCH * CLASSES], hyper[8];
static int labels[BATCH], correct;

int EXPORT(sv_train_abi)(void) { return 1; }
int EXPORT(sv_param_count)(void) { return PARAMETERS; }
int EXPORT(sv_example_floats)(void) { return FEATURES; }
int EXPORT(sv_output_floats)(void) { return CLASSES; }
int EXPORT(sv_label_kind)(void) { return 0; } /* labels are class numbers */
int EXPORT(sv_batch_capacity)(void) { return BATCH; }
int EXPORT(sv_correct)(void) { return correct; }
float *EXPORT(sv_params)(void) { return parameters; }
float *EXPORT(sv_examples)(void) { return examples; }
int *EXPORT(sv_labels)(void) { return labels; }
float *EXPORT(sv_hyper)(void) { return hyper; }
float *EXPORT(sv_outputs)(void) { return outputs; }

void EXPORT(sv_begin)(void) {
    for (int i = 0; i < PARAMETERS; i++) {
        velocity[i] = 0.0f;
    }
}

/* Half the squared distance from the label's unit vector, and how many outputs are largest there. */
float EXPORT(sv_evaluate)(int count) {
    float loss = count < 1 || count > BATCH ? __builtin_nanf("") : 0.0f;
    correct = 0;
    for (int n = 0; n < count && loss >= 0.0f; n++) {
        const float *x = examples + n * FEATURES;
        float *y = outputs + n * CLASSES;
        int best = 0;
        if (labels[n] < 0 || labels[n] >= CLASSES) {
            return __builtin_nanf(""); /* no such class */
        }
        for (int c = 0; c < CLASSES; c++) {
            y[c] = parameters[WEIGHTS + c];
            for (int f = 0; f < FEATURES; f++) {
                y[c] += parameters[c * FEATURES + f] * x[f];
            }
            const float error = y[c] - (c == labels[n] ? 1.0f : 0.0f);
            loss += 0.5f * error * error;
            best = y[c] > y[best] ? c : best;
        }
        correct += best == labels[n];
    }
    return loss / (float)count;
}

float EXPORT(sv_train)(int count) {
    const float loss = sv_evaluate(count);
    if (!(loss < __builtin_inff())) {
        return loss; /* and the parameters stay as they were */
    }
    for (int i = 0; i < PARAMETERS; i++) {
        gradient[i] = hyper[2] * parameters[i]; /* weight decay */
    }
    for (int n = 0; n < count; n++) {
        for (int c = 0; c < CLASSES; c++) {
            const float target = c == labels[n] ? 1.0f : 0.0f;
            const float slope = (outputs[n * CLASSES + c] - target) / (float)count;
            for (int f = 0; f < FEATURES; f++) {
                gradient[c * FEATURES + f] += slope * examples[n * FEATURES + f];
            }
            gradient[WEIGHTS + c] += slope;
        }
    }
    for (int i = 0; i < PARAMETERS; i++) {
        velocity[i] = hyper[1] * velocity[i] + gradient[i]; /* momentum */
        parameters[i] -= hyper[0] * velocity[i];
    }
    return loss;
}
