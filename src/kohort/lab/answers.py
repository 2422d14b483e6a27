"""Answers to the viva's questions, one function a claim; each sentence about what was found turns with the outcomes.

They stand here and not in the claims' files because all code there decides whether a result is kept, and words do not.
"""

from kohort.lab.evidence import Evidence
from kohort.lab.saying import Findings


def _means(evidence: Evidence, quantity: str) -> dict[str, float]:
    return {name: float(own.mean()) for name, own in evidence[quantity].items()}


def l1_sparsity(evidence: Evidence, found: Findings) -> str:
    """L1 and L2 by the weights they leave."""
    zeros, near, norm, held = (
        _means(evidence, quantity) for quantity in ("exact zeros", "near zeros", "norm", "concentration")
    )
    shrunk = found.worded(
        "L2 shrinks the norm",
        "clearly smaller, as expected",
        "not a fifth smaller, against what is expected",
        "and it stays open whether by a fifth",
    )
    left = found.worded(
        "L2 leaves fewer",
        "practically none, as expected",
        "more than L2 is expected to leave",
        "and it stays open whether that is none to speak of",
    )
    vanished = found.worded(
        "L1 leaves ten points",
        "as expected, L1 made many more of them vanish",
        "against what is expected, L1 did not make ten points more of them vanish",
        "whether L1 made ten points more of them vanish stays open",
    )
    few = found.worded(
        "under L1 the largest tenth",
        "as expected, L1 gathered it in few",
        "against what is expected, L1 did not gather it in few",
        "whether L1 gathers it in few stays open",
    )
    jumps = found.worded(
        "L1 by subgradients",
        "it jumps over zero, as expected",
        "more than is expected of a step that jumps over zero",
        "which does not settle whether it jumps over zero",
    )
    stops = found.worded(
        "L1 by proximal steps",
        "more than half, as expected",
        "less than the half that was expected",
        "whether that is more than half stays open",
    )
    return (
        "L2 pulls each weight towards zero in proportion to its size, so that large ones should lose most and none "
        f"should become exactly zero. The norm of all kernels was {norm['none']:.1f} without a penalty and "
        f"{norm['L2']:.1f} with L2, {shrunk}; {zeros['L2']:.2%} of the weights were exactly zero, {left}. L1 pulls all "
        "weights equally hard, so that those which the data hardly need should end at zero while the others stay. "
        f"Below 0.001 were {near['L1, subgradient']:.0%} of the weights with L1 and {near['L2']:.0%} with L2: "
        f"{vanished}. The largest tenth of the weights held {held['L1, proximal']:.0%} of the sum of squares with L1, "
        f"{held['L2']:.0%} with L2 and {held['none']:.0%} without a penalty: {few}. Whether weights reach zero exactly "
        "should be a matter of the optimiser: a step along the subgradient, as Keras takes it, left "
        f"{zeros['L1, subgradient']:.1%} exact zeros ({jumps}), a proximal step {zeros['L1, proximal']:.0%} ({stops})."
    )


def priors(evidence: Evidence, found: Findings) -> str:
    """L1 and L2 as priors."""
    zeros = {name: 100.0 * share for name, share in _means(evidence, "exact zeros").items()}

    def is_mode(begins: str) -> str:
        return found.worded(
            begins,
            "they are that mode, as expected",
            "they are not that mode, which is against what is expected",
            "whether they are that mode stays open",
        )

    nearby = found.worded(
        "more than 99.9 % of weights nearby",
        "Weights nearby were less likely, as they must be near a mode",
        "But too many weights nearby were more likely for the trained ones to be a mode",
        "Whether weights nearby are less likely stays open",
    )
    same = found.worded(
        "under L1 the same weights",
        "those zero under L1 are zero in the mode too",
        "those zero under L1 are not the ones that are zero in the mode",
        "whether those zero under L1 are zero in the mode too stays open",
    )
    ridge = found.worded(
        "L1 weights are no ridge",
        "no Gaussian prior has weights like those of L1 as its mode",
        "some Gaussian prior has weights much like those of L1 as its mode, so that the two hardly differed here",
        "whether some Gaussian prior has weights like those of L1 as its mode stays open",
    )
    told = found.worded(
        "where weights do come from the prior",
        "the strength that the prior tells was as good as any, to 2 %",
        "another strength was better than the one that the prior tells, by more than 2 %",
        "it stays open whether the strength that the prior tells is as good as any, to 2 %",
    )
    return (
        "As priors: an L2 penalty says that weights come from a Gaussian, which is round at zero – small weights are "
        "nearly as likely as zero – and has thin tails, so that large weights are dear. An L1 penalty says Laplace: a "
        "peak at zero and heavier tails, so that many zeros beside a few large weights are likely. If so, trained "
        "weights are the mode of the posterior. They differed from it, computed in another way, by "
        f"{found.number('L2: trained weights')} of its length under L2 ({is_mode('L2: trained weights')}) and by "
        f"{found.number('L1: trained weights')} under L1 ({is_mode('L1: trained weights')}), at the strength where it "
        f"was most. {nearby}. The weakest and the strongest L2 left {zeros['L2 0.01']:.0f} % and {zeros['L2 1']:.0f} % "
        f"of the weights exactly zero, the weakest and the strongest L1 {zeros['L1 0.02']:.0f} % and "
        f"{zeros['L1 0.4']:.0f} %; {same}, and {ridge}. Where true weights were drawn from a Gaussian, {told}."
    )


def dropout_ensemble(evidence: Evidence, found: Findings) -> str:
    """Dropout as an ensemble of sub-networks."""
    accuracy, distance, related = (_means(evidence, quantity) for quantity in ("accuracy", "distance", "correlation"))
    removed = evidence["accuracy by share removed"]
    lost = {name: 100.0 * float((own - removed.at(0.5)[name]).mean()) for name, own in removed.at(0.0).items()}
    exactly = found.worded(
        "with one hidden layer scaled weights",
        "and so it was, to 0.00001",
        "but it was not, to 0.00001",
        "and it stays open whether it was, to 0.00001",
    )
    near = found.worded(
        "with two hidden layers scaled weights",
        "near enough to stand for it",
        "too far to stand for it",
        "and it stays open whether that is near enough to stand for it",
    )
    many = found.worded(
        "scaled weights are a point better than one sub-network",
        "all together do better than one, as of an ensemble",
        "all together do not do a point better than one, as those of an ensemble should",
        "whether all together do a point better than one stays open",
    )
    one_pass = found.worded(
        "the mean of 100 sub-networks and scaled weights",
        "and the one pass does as well as their mean",
        "and, against what is expected, the one pass and their mean are not within a point",
        "and whether the one pass does as well as their mean stays open",
    )
    true_one = found.worded(
        "a network with dropout is at most a point worse",
        "dropout came within a point of it",
        "dropout stayed more than a point behind it, so that here it was no match for a true ensemble",
        "whether dropout comes within a point of it stays open",
    )
    averages = found.worded(
        "in log loss dropout covers",
        "in log loss it covered more than half of the way from one network to such an ensemble",
        "in log loss it covered no more than half of the way from one network to such an ensemble",
        "whether in log loss it covers half of the way from one network to such an ensemble stays open",
    )
    copes = found.worded(
        "without half of the first hidden layer",
        "much less, as expected",
        "not the 5 points less that were expected",
        "and 5 points less stay open",
    )
    apart = found.worded(
        "hidden units are less correlated",
        "less, as expected",
        "not less, against what is expected",
        "too close to tell",
    )
    return (
        "A network with n units that can be dropped holds 2ⁿ sub-networks that share their weights; each training step "
        "trains one that is drawn at random. At test time one would average their predictions; instead all units stay "
        "and activations are scaled, which costs one pass. With one hidden layer that should be exactly the normalised "
        f"geometric mean of all sub-networks, {exactly}. With two it was off by "
        f"{100 * distance['two hidden layers, geometric mean']:.2g} points of probability, {near} (and by "
        f"{100 * distance['two hidden layers, arithmetic mean']:.2g} from the ordinary mean). On few digits one "
        f"sub-network alone had an accuracy of {accuracy['one sub-network']:.3f}, the mean of 100 of them "
        f"{accuracy['mean of 100 sub-networks']:.3f}, and scaled weights {accuracy['scaled weights']:.3f}: {many}, "
        f"{one_pass}. One network trained without dropout had {accuracy['no dropout']:.3f}, and a true ensemble of 8 "
        f"such networks {accuracy['ensemble of 8']:.3f}: {true_one}; {averages}. Units should also "
        "learn to cope without their neighbours. With half of the first hidden layer removed, the network lost "
        f"{lost['dropout']:.1f} points if it was trained with dropout and {lost['no dropout']:.1f} if not ({copes}); "
        f"two of its units are correlated by {related['dropout']:.2f} with dropout and {related['no dropout']:.2f} "
        f"without, whatever the sign ({apart})."
    )


def dropout_inference(evidence: Evidence, found: Findings) -> str:
    """Why dropout is off in prediction."""
    accuracy, loss, differ, activation, said, right = (
        _means(evidence, quantity)
        for quantity in (
            "accuracy",
            "log loss",
            "passes differ",
            "activation",
            "scatter of the true class's probability",
            "scatter of the accuracy of a pass",
        )
    )
    loses = found.worded(
        "left on, a single pass loses",
        "clearly less, as expected",
        "not the 2 points less that were expected",
        "and it stays open whether it loses 2 points",
    )
    unlike = found.worded(
        "left on, two passes give different classes",
        "so that it does not answer the same each time",
        "so that it did answer nearly the same each time",
        "and it stays open whether that is more than 5 %",
    )
    scatters = found.worded(
        "left on, the true class's probability scatters",
        "a large scatter, as expected",
        "less than the 5 points expected",
        "whether by more than 5 points stays open",
    )
    evens_out = found.worded(
        "left on, the accuracy of a pass scatters",
        "for errors of single rows even out",
        "which is not the little, 0.2 to 1 points, that was expected",
        "and it stays open whether it is the little, 0.2 to 1 points, that was expected",
    )
    kept = found.worded(
        "inverted dropout keeps",
        "so that nothing is left to do",
        "so that, against what is expected, something would be left to do",
        "which leaves open whether anything is left to do",
    )
    halved = found.worded(
        "classic dropout halves",
        "so that at test time activations must be multiplied by 1 − p",
        "which is not the 1 − p that is expected, by which activations are multiplied at test time",
        "and it stays open whether that is the 1 − p by which activations are multiplied at test time",
    )
    classes = found.worded(
        "classic dropout that is not scaled is half a point",
        "as expected, classes suffer without it",
        "classes do not suffer by the half point expected without it",
        "whether classes suffer by half a point without it stays open",
    )
    surely = found.worded(
        "classic dropout that is not scaled has 1.5 times",
        "probabilities do, as expected",
        "probabilities not as much as expected",
        "whether probabilities do as much as expected stays open",
    )
    alike = found.worded(
        "classic dropout that is scaled is as accurate",
        "Rightly scaled, the two forms do equally well, to a point",
        "Even rightly scaled, the two forms do not do equally well, to a point",
        "Whether the two forms, rightly scaled, do equally well to a point stays open",
    )
    return (
        "Dropout is noise that makes training robust. In prediction one wants the whole network, and the same answer "
        "each time. With model(x, training=False) the chapter's network had an accuracy of "
        f"{accuracy['inverted, off']:.3f} on few digits, with dropout left on {accuracy['inverted, left on']:.3f}, "
        f"{loses}. Two passes gave different classes to {100 * differ['left on']:.0f} % of the rows "
        f"({100 * differ['off']:.0f} % when off), {unlike}. From pass to pass the probability of a row's true class "
        f"had a standard deviation of {100 * said['left on']:.1f} points ({100 * said['off']:.1f} when off): "
        f"{scatters}. The accuracy of a whole pass had one of {100 * right['left on']:.2f} points "
        f"({100 * right['off']:.2f} when off), {evens_out}. The scale must be the same in training and in prediction. "
        "Inverted dropout, which Keras has, multiplies what is kept by 1/(1 − p) in training: the mean activation was "
        f"{activation['inverted']:.3f} times that without dropout, {kept}. The classic form does not scale in "
        f"training: it was {activation['classic']:.3f} times, {halved}. With that factor accuracy was "
        f"{accuracy['classic, scaled']:.3f} and log loss {loss['classic, scaled']:.3f}, without it "
        f"{accuracy['classic, not scaled']:.3f} and {loss['classic, not scaled']:.3f}: {classes}, and {surely}. "
        f"{alike}."
    )


def covariate_shift(evidence: Evidence, found: Findings) -> str:
    """What BatchNorm solves."""
    drift, steps, cosine = (_means(evidence, quantity) for quantity in ("drift", "steps to target", "cosine"))
    still = found.worded(
        "BatchNorm makes the drift",
        "it did hold them still",
        "against what is expected, that is not half as much",
        "whether that is half as much stays open",
    )
    faster = found.worded(
        "without BatchNorm training takes",
        "it was much faster, as expected",
        "it was not the 1.5 times faster that was expected",
        "whether it was 1.5 times faster stays open",
    )
    dearer = found.worded(
        "noise that brings the drift back",
        "more than 1.5 times as many as without the noise",
        "less than 1.5 times as many as without the noise",
        "and whether that is 1.5 times as many as without the noise stays open",
    )
    reason = found.worded(
        "with that noise BatchNorm is no faster",
        "The noisy network was slower than the plain one: with the stillness the speed was gone, as the idea has it, "
        "while Santurkar et al. found otherwise in 2018, with larger networks",
        "The noisy network was still faster than the plain one, so that stillness cannot be the whole reason; "
        "Santurkar et al. found so in 2018 and hold that BatchNorm makes the loss smoother",
        "Whether the noisy network is faster than the plain one stays open here; Santurkar et al. found so in 2018 and "
        "hold that BatchNorm makes the loss smoother",
    )
    turns = found.worded(
        "a layer's gradient turns less",
        "it turned less with BatchNorm, as the idea has it",
        "it did not turn less with BatchNorm, against the idea",
        "whether it turned less with BatchNorm stays open",
    )
    return (
        "The idea: while the layers below learn, the distribution of a layer's inputs keeps shifting, so that it "
        "learns for inputs it will not see again (internal covariate shift); BatchNorm fixes mean and variance of "
        f"each unit. From epoch to epoch units moved by {drift['plain']:.3f} standard deviations without it and by "
        f"{drift['BatchNorm']:.3f} with it: {still}. Training took {steps['plain']:.0f} steps without and "
        f"{steps['BatchNorm']:.0f} with it: {faster}. Whether the one is the reason for the other can be tried with "
        "noise after BatchNorm that moves mean and variance anew at each step. Then units moved by "
        f"{drift['BatchNorm with noise']:.3f}, and training took {steps['BatchNorm with noise']:.0f} steps, {dearer}. "
        f"{reason}. And if shift is how much a layer's gradient turns when the layers below step, "
        f"its cosine was {cosine['plain']:.3f} without BatchNorm and {cosine['BatchNorm']:.3f} with it (1: it does not "
        f"turn): {turns}."
    )


def running_statistics(evidence: Evidence, found: Findings) -> str:
    """BatchNorm's two kinds of statistics, of which LayerNorm has none."""
    first, small = (
        {name: f"{float(own.mean()):.1%}" for name, own in evidence[quantity].at(point).items()}
        for quantity, point in (("accuracy by epoch", 1), ("accuracy by batch", 2))
    )
    early = "after 36 steps, running statistics with momentum 0.99"
    starts = found.worded(
        early,
        "their start still shows",
        "against what is expected, their start did no such harm",
        "whether their start costs the 5 points expected stays open",
    )
    lower = found.worded(
        "momentum 0.9 falls",
        "as expected, that is a remedy",
        "against what is expected, that is no such remedy",
        "whether that is such a remedy as expected stays open",
    )
    precise = found.worded(
        "statistics of all training rows fall",
        "as expected, that is one too",
        "against what is expected, that is none, to a point",
        "whether it is one, to a point, stays open",
    )
    late = found.worded(
        "after the last epoch",
        "In the end the two agreed within a point",
        "Even in the end the two did not agree within a point",
        "Whether the two agree within a point in the end stays open",
    )
    poor = found.worded(
        "of weights trained with batches of 2",
        "two rows do not tell a mean and a variance",
        "against what is expected, two rows told a mean and a variance nearly as well",
        "whether two rows tell mean and variance so much worse stays open",
    )
    fast = found.worded(
        "with batches of 4, momentum 0.5",
        "Averages over few small batches are poor as well",
        "Against what is expected, averages over few small batches were not poor",
        "Whether averages over few small batches are poor as well stays open",
    )
    few = found.worded(
        "with batches of 128",
        "with large batches there are few steps, and statistics computed anew gain a point",
        "with large batches, of which there are few steps, statistics computed anew did not gain the point expected",
        "whether statistics computed anew gain a point with large batches stays open",
    )
    advice = found.worded(
        early,
        "So where there are few steps: a lower momentum, statistics computed anew after training, or LayerNorm, which "
        "was not tried here",
        "So here few steps were no reason to leave BatchNorm",
        "So it stays open here whether few steps are a reason to leave BatchNorm",
    )
    return (
        "BatchNorm is one layer while training and another while predicting: it trains with the mean and variance of "
        "the batch and predicts with running averages of them. LayerNorm does the same in both, and has nothing to "
        "average. Two things can go wrong with BatchNorm. After few steps the averages may still hold their start: "
        f"after 36 steps the network was right in {first['its own batch']} of the rows with the batch's own "
        f"statistics and in {first['running, momentum 0.99']} with Keras' momentum of 0.99 ({starts}), in "
        f"{first['running, momentum 0.9']} with a momentum of 0.9 ({lower}) and in {first['all training rows']} with "
        f"statistics of all training rows ({precise}). {late}. And small batches may have poor statistics: trained "
        "with batches of 2, the same weights "
        f"were right in {small['its own batch']} of the rows with the batch's statistics and in "
        f"{small['running, momentum 0.99']} with the running ones ({poor}). {fast}; {few}. {advice}."
    )


SUBJECTS = {
    "perceptron": ("a perceptron", "in a perceptron", "BatchNorm"),
    "convolutions": ("convolutions", "in a convolutional network", "BatchNorm"),
    "Transformer": ("a Transformer", "in a Transformer", "LayerNorm"),
    "LSTM": ("an LSTM", "in an LSTM", "LayerNorm"),
}
"""Networks of the claim on both normalisations: as predictions and answers call them, and what is usual in them."""


def batch_or_layer(evidence: Evidence, found: Findings) -> str:
    """When each normalisation is preferred."""

    def compared(batch: int) -> str:
        """What was found with a size of batch; a quick look has not tried all networks with all."""
        told = []
        for network, (subject, place, usual) in SUBJECTS.items():
            points = evidence[network].points
            if points is None or batch not in points:
                continue
            own = {name: float(accuracy.mean()) for name, accuracy in evidence[network].at(batch).items()}
            better = usual if batch > 2 else "LayerNorm"
            begins = f"with batches of {batch} {subject}"
            much = " by 2 points" if "2 points better" in found.of(begins).prediction.name else ""
            outcome = found.worded(
                begins,
                f"{better} was better{much}, as expected",
                f"{better} was not better{much}, against what is expected",
                f"whether {better} is better{much} stays open",
            )
            told.append(f"{own['BatchNorm']:.1%} and {own['LayerNorm']:.1%} {place} ({outcome})")
        return "; ".join(told)

    keeps = found.worded(
        "from batches of 32 to batches of 2",
        "as expected, a perceptron with LayerNorm lost little between batches of 32 and of 2",
        "against what is expected, a perceptron with LayerNorm lost 2 points or more between batches of 32 and of 2",
        "whether a perceptron with LayerNorm loses 2 points between batches of 32 and of 2 stays open",
    )
    usual = [own for own in found.judged if own.prediction.name.endswith("better with LayerNorm")]
    of_sequences = [own for own in usual if "Transformer" in own.prediction.name or "LSTM" in own.prediction.name]
    agrees = "What is usual for long texts need not hold on small data: try both"
    if all(own.outcome == "met" for own in of_sequences):
        agrees = "So it was here for these two"
    larger = compared(256)
    return (
        "BatchNorm takes mean and variance of each feature over the rows of a batch; LayerNorm takes them over the "
        "features of each row, so that rows do not depend on one another and training and prediction are alike. That "
        "should matter most where batches are small. With batches of 2, accuracy on held-out rows with BatchNorm and "
        f"with LayerNorm was {compared(2)}. With batches of 32 it was {compared(32)}"
        f"{f', and with batches of 256 {larger}' if larger else ''}. Also, {keeps}. Usual are BatchNorm in perceptrons "
        "and convolutional networks, whose maps give it many values for each feature, with batches of 16 or more, and "
        "LayerNorm in Transformers and recurrent networks, whose sequences differ in length (here they had one). "
        f"{agrees}."
    )
